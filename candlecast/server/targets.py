"""What one run_inference() has to predict: every symbol with its active, test and shadow ensembles."""

from collections.abc import Mapping
from dataclasses import dataclass

from candlecast.server.ensembles import ENSEMBLE_COLUMNS
from candlecast.server.environment_models import model_paths
from candlecast.server.session import Session


@dataclass(frozen=True)
class Target:
    """A symbol and one of its ensembles; ``row`` is None for the models of the server's environment paths."""

    symbol: str
    ensemble_id: int | None
    row: Mapping | None
    newest: float | None
    predicted: bool


# $1 is candle_time: nothing later is looked at. $2: whether symbols without an active ensemble count too. $3: how many
# may be on test; where the setting was lowered, those that have been there longest go on.
_TARGETS = f"""
with recursive symbols as (
    (select symbol from public.candles_1m where $2 order by symbol limit 1)
    union all
    select (select symbol from public.candles_1m where symbol > symbols.symbol order by symbol limit 1)
    from symbols where symbols.symbol is not null
),
pairs as (
    select
        {ENSEMBLE_COLUMNS}, ensemble.state,
        row_number() over (partition by ensemble.symbol, ensemble.state order by changed_at, ensemble.id) as place
    from public.active_ensembles as ensemble
    where ensemble.state in ('active', 'test', 'shadow')
),
wanted as (
    select * from pairs where state <> 'test' or place <= $3
    union all
    select null, symbol, null, null, null, null, null, null, null, null, 'active', 1
    from symbols
    where symbol is not null and not exists (
        select from pairs where pairs.ensemble_symbol = symbols.symbol and pairs.state = 'active'
    )
)
select
    wanted.*,
    (
        select extract(epoch from open_time)::float8 from public.candles_1m
        where symbol = wanted.ensemble_symbol and open_time <= to_timestamp($1) order by open_time desc limit 1
    ) as newest,
    exists (
        select from public.predictions
        where symbol = wanted.ensemble_symbol and candle_time = to_timestamp($1)
            and ensemble_id is not distinct from wanted.ensemble_id
    ) as predicted
from wanted
order by ensemble_symbol, state, ensemble_id"""


def targets(session: Session, candle_time: float, max_tests: int) -> list[Target]:
    """All targets of the minute candle_time (epoch seconds), the active ensemble of a symbol first."""
    values = [candle_time, model_paths() is not None, max_tests]
    rows = session.rows(_TARGETS, ["float8", "boolean", "int"], values)
    return [
        Target(
            symbol=row["ensemble_symbol"],
            ensemble_id=row["ensemble_id"],
            row=row if row["ensemble_id"] is not None else None,
            newest=row["newest"],
            predicted=row["predicted"],
        )
        for row in rows
    ]
