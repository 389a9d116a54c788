"""The targets of one run_inference(): every symbol with its active, test and shadow ensembles."""

from dataclasses import dataclass

from candlecast.server.ensemble_row import ENSEMBLE_COLUMNS, EnsembleRow
from candlecast.server.environment_models import read_model_paths
from candlecast.server.session import Session
from candlecast.server.stored_candles import newest_candle


@dataclass(frozen=True)
class Target:
    """A symbol and one of its ensembles; None for the models of the server's environment.

    newest: the symbol's newest candle up to the minute, epoch seconds. predicted: whether the minute is predicted.
    """

    symbol: str
    ensemble: EnsembleRow | None
    newest: float | None
    predicted: bool

    @property
    def ensemble_id(self) -> int | None:
        """The id, or None, as in predictions and inference_runs."""
        return None if self.ensemble is None else self.ensemble.id


# $1: candle_time; no later candle is read. $2: whether symbols without an active ensemble are included. $3: the most
# ensembles on test; if the setting was lowered, those with the longest time on test stay.
_TARGETS = f"""
with placed as (
    select
        symbol, id, state, row_number() over (partition by symbol, state order by changed_at, id) as place
    from public.active_ensembles
    where state in ('active', 'test', 'shadow')
),
wanted as (
    select symbol, id as ensemble_id, state from placed where state <> 'test' or place <= $3
    union all
    select symbol, null as ensemble_id, 'active' as state
    from public.candle_symbols as symbols
    where $2 and not exists (
        select from placed where placed.symbol = symbols.symbol and placed.state = 'active'
    )
)
select
    wanted.symbol as wanted_symbol,
    extract(epoch from newest.open_time)::float8 as newest,
    exists (
        select from public.predictions
        where symbol = wanted.symbol and candle_time = to_timestamp($1)
            and ensemble_id is not distinct from wanted.ensemble_id
    ) as predicted,
    {ENSEMBLE_COLUMNS}
from wanted
left join public.active_ensembles as ensemble on wanted.ensemble_id = ensemble.id
left join lateral {newest_candle("wanted.symbol", "to_timestamp($1)")} as newest on true
order by wanted.symbol, wanted.state, wanted.ensemble_id"""


def find_targets(session: Session, candle_time: float, max_tests: int) -> list[Target]:
    """All targets of the minute candle_time (epoch seconds), the active ensemble of a symbol first."""
    values = [candle_time, read_model_paths() is not None, max_tests]
    rows = session.rows(_TARGETS, ["float8", "boolean", "int"], values)
    return [Target(row["wanted_symbol"], EnsembleRow.of_joined(row), row["newest"], row["predicted"]) for row in rows]
