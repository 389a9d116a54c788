"""Writes forecasts to ``predictions``, and reads stored ones in the same form."""

from candlecast.core.forecast_rows import ForecastRow
from candlecast.core.times import MINUTE_SECONDS
from candlecast.server.session import Session

# The columns that differ between the rows of one candle, with their types.
_EACH = {
    "horizon": "int", "predicted_close": "float8", "predicted_price": "float8", "mamba_close": "float8",
    "lgbm_close": "float8", "confidence": "float8", "probability_up": "float8", "lower_price": "float8",
    "upper_price": "float8", "abstained": "boolean", "out_of_distribution": "boolean", "furthest_feature": "text",
}  # fmt: skip
_NAMES = ", ".join(_EACH)
_INSERT = f"""
insert into public.predictions (
    symbol, candle_time, target_time, reference_close, ensemble_id, latency_ms, {_NAMES}
)
select
    $1, to_timestamp($2), to_timestamp($2 + {MINUTE_SECONDS} * horizon), $3, $4,
    (extract(epoch from clock_timestamp()) - $5) * 1000, {_NAMES}
from unnest({", ".join(f"${number}" for number, _ in enumerate(_EACH, start=6))}) as forecast ({_NAMES})
on conflict do nothing"""
_INSERT_TYPES = ["text", "float8", "float8", "bigint", "float8", *(f"{kind}[]" for kind in _EACH.values())]
_TIMES = {
    name: f"to_char({name} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') as {name}"
    for name in ("candle_time", "target_time")
}
_STORED = f"""
select {", ".join(_TIMES.get(name, name) for name in ForecastRow._fields)}
from public.predictions
where symbol = $1 and candle_time = to_timestamp($2) and ensemble_id is not distinct from $3
order by horizon"""


def write_predictions(session: Session, rows: list[ForecastRow], candle_time: float, started: float) -> int:
    """Store the five rows of one candle; latency is measured from ``started`` (epoch seconds).

    Returns the number of new rows. Rows that another session stored first are not changed.
    """
    same, each = rows[0], [[getattr(row, name) for row in rows] for name in _EACH]
    values = [same.symbol, candle_time, same.reference_close, same.ensemble_id, started, *each]
    return session.rows(_INSERT, _INSERT_TYPES, values).nrows()


def warm_insert(session: Session) -> None:
    """Run the insert without rows, so that its plan is cached when a candle arrives."""
    empty: list[list] = [[] for _ in _EACH]
    session.rows(_INSERT, _INSERT_TYPES, ["", 0.0, 1.0, None, 0.0, *empty])


def read_predictions(session: Session, symbol: str, candle_time: float, ensemble_id: int | None) -> list[ForecastRow]:
    """The stored predictions of one candle and ensemble."""
    result = session.rows(_STORED, ["text", "float8", "bigint"], [symbol, candle_time, ensemble_id])
    return [ForecastRow(**row) for row in result]
