"""Generated days for evaluate_ab(): candles that always move, and predictions that are right in chosen minutes.

The minutes are chosen by an SQL condition on `m`, the minutes since START. `share(8)` selects 8 of 100, evenly spread.
The minutes of `share(50)` are a subset of those of `share(58)`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.support.deployment import MINUTE

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
START = datetime(2026, 5, 1, tzinfo=UTC)
#: The first evaluation: the first predictions are over 24 hours old.
AT = START + DAY + 10 * MINUTE
#: Pairs at AT: 24 hours without the last minute, whose outcome is not known yet.
PAIRS = 1_439
#: The percentage of minutes in which the active ensemble is right.
EVEN = 50

_CANDLES = """
insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)
select %(symbol)s, %(start)s + m * interval '1 minute', price, price, price, price, 1, price, 0.5, price / 2, 10
from generate_series(0, %(minutes)s - 1) as m
cross join lateral (values (100 + m * 7919 %% 1009 / 1000.0)) as walk (price)"""
_PREDICTED = """
insert into predictions (symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price,
    reference_close, mamba_close, lgbm_close, confidence)
select candle.symbol, %(ensemble)s, candle.open_time, target_time, horizon, 0.001 * forecast.direction, candle.close,
    candle.close, 0, 0, 0.5
from candles_1m as candle
cross join unnest(%(horizons)s::integer[]) as horizon
cross join lateral (values (candle.open_time + horizon * interval '1 minute')) as later (target_time)
cross join lateral (values (extract(epoch from candle.open_time - %(start)s)::bigint / 60)) as minute (m)
left join candles_1m as target on target.symbol = candle.symbol and target.open_time = target_time
cross join lateral (values (case when target.close < candle.close then -1 else 1 end)) as outcome (direction)
cross join lateral (values (case when {right} then outcome.direction else -outcome.direction end))
    as forecast (direction)
where candle.symbol = %(symbol)s and candle.open_time >= %(since)s and candle.open_time < %(until)s"""


def share(percent: int) -> str:
    """The SQL condition that selects `percent` of 100 minutes."""
    return f"m * 37 % 100 < {percent}"


def moving_candles(db: psycopg.Connection, days: int, start: datetime = START, symbol: str = "DEMO") -> None:
    """Insert candles whose closes differ from minute to minute, over every horizon."""
    db.execute(_CANDLES, {"symbol": symbol, "start": start, "minutes": days * 1_440})


def predicted(
    db: psycopg.Connection,
    ensemble: int,
    right: str | int,
    since: datetime = START,
    until: datetime = START + 9 * DAY,
    *,
    start: datetime = START,
    horizons: tuple[int, ...] = (1,),
    symbol: str = "DEMO",
) -> None:
    """Insert predictions from `since` to `until`, right where the condition holds, or in `right` of 100 minutes."""
    condition = share(right) if isinstance(right, int) else right
    values = {"symbol": symbol, "ensemble": ensemble, "start": start, "since": since, "until": until}
    query = _PREDICTED.format(right=condition.replace("%", "%%"))
    db.execute(query, values | {"horizons": list(horizons)})


def setting(db: psycopg.Connection, name: str, value: str | None) -> None:
    """Set one row of ml_settings."""
    db.execute("update ml_settings set value = %s where name = %s", (value, name))


def states(db: psycopg.Connection) -> dict[int, str]:
    """The state of each ensemble, except those in state waiting."""
    return dict(db.execute("select id, state from active_ensembles where state <> 'waiting' order by id").fetchall())


def evaluated(db: psycopg.Connection, at: Any = AT, function: str = "evaluate_ab") -> dict[int, Any]:
    """The evaluation's row of each challenger."""
    rows = db.execute(f"select * from {function}(%s)", (at,)).fetchall()
    return {row.challenger_id: row for row in rows}


def judged(db: psycopg.Connection, at: Any = AT) -> Any:
    """The one row that there must be."""
    (row,) = evaluated(db, at).values()
    return row


def put_on_test(db: psycopg.Connection, *ensembles: int) -> None:
    """Set the state in the table, without checking the test vectors."""
    db.execute("update active_ensembles set is_test = true where id = any(%s)", (list(ensembles),))


def events(db: psycopg.Connection) -> list[tuple]:
    """The events of evaluations."""
    return [
        tuple(row)
        for row in db.execute(
            "select ensemble_id, event, from_state, to_state, at_time from ensemble_events"
            " where evaluation_id is not null order by id"
        )
    ]


def refused(db: psycopg.Connection, at: Any, function: str = "evaluate_ab") -> psycopg.Error:
    """The error of an evaluation. It must have a hint."""
    with pytest.raises(psycopg.Error) as error, db.transaction():
        db.execute(f"select * from {function}(%s)", (at,))
    assert error.value.diag.message_hint
    return error.value


def new_version(db: psycopg.Connection, of_type: str, change: str = "facts") -> int:
    """Copy a version under another name, with `facts` changed by an SQL expression."""
    rest = "symbol, model_path, trained_at, training_from, training_to, features, feature_hash"
    old, new = db.execute(
        f"insert into model_versions (model_type, version, {rest}, facts)"
        f" select model_type, 'other', {rest}, {change} from model_versions where model_type = %s"
        " returning (select id from model_versions where model_type = %s) as old, id",
        (of_type, of_type),
    ).fetchone()
    db.execute(
        "insert into model_artifacts select %s, name, sha256, content from model_artifacts where model_version_id = %s",
        (new, old),
    )
    return new
