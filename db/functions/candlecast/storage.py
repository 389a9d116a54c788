"""Writes forecasts to predictions, and reads stored ones back in the same form."""

from typing import Any

from candlecast.features import HORIZONS
from candlecast.session import Session

Row = tuple[Any, ...]

_INSERT = """
insert into public.predictions (
    symbol, candle_time, target_time, horizon, reference_close, predicted_close, predicted_price,
    mamba_close, lgbm_close, confidence, ensemble_id, latency_ms
)
select
    $1, to_timestamp($2), to_timestamp($2 + 60 * horizon), horizon, $3, predicted_close, predicted_price,
    mamba_close, lgbm_close, confidence, $4, (extract(epoch from clock_timestamp()) - $5) * 1000
from unnest($6, $7, $8, $9, $10, $11) as forecast (
    horizon, predicted_close, predicted_price, mamba_close, lgbm_close, confidence
)
on conflict do nothing"""
_INSERT_TYPES = [
    "text", "float8", "float8", "bigint", "float8", "int[]", "float8[]", "float8[]", "float8[]", "float8[]", "float8[]",
]  # fmt: skip
_STORED = """
select
    symbol,
    to_char(candle_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') as candle_time,
    to_char(target_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') as target_time,
    horizon, reference_close, predicted_close, predicted_price, mamba_close, lgbm_close, confidence, ensemble_id
from public.predictions
where symbol = $1 and candle_time = to_timestamp($2) and ensemble_id is not distinct from $3
order by horizon"""


def write(session: Session, symbol: str, candle_time: float, rows: list[Row], started: float) -> int:
    """Store the five rows of one candle; latency counts from ``started`` (epoch seconds).

    Returns how many were new: rows that another session stored first stay as they are.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    reference, ensemble_id = rows[0][4], rows[0][10]
    values = [symbol, candle_time, reference, ensemble_id, started, columns[3], *columns[5:10]]
    return session.rows(_INSERT, _INSERT_TYPES, values).nrows()


def warm(session: Session) -> None:
    """Run the insert with no rows, so that its plan and its tables are at hand when a candle lands."""
    empty: list[list] = [[] for _ in HORIZONS]
    session.rows(_INSERT, _INSERT_TYPES, ["", 0.0, 1.0, None, 0.0, [], *empty])


def stored_rows(session: Session, symbol: str, candle_time: float, ensemble_id: int | None) -> list[Row]:
    """What is stored for one candle and ensemble, in the order of the type `forecast`."""
    result = session.rows(_STORED, ["text", "float8", "bigint"], [symbol, candle_time, ensemble_id])
    return [tuple(row.values()) for row in result]
