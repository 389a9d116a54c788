"""Days that decide A/B tests, and the invariants of the states and the history of ensembles."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from tests.support.deployment import in_backend, register

SYMBOLS = ("DEMO", "OTHER")
DAY = timedelta(days=1)
#: After the training rows of tests/support/artifacts.py, so that these days are out-of-sample.
FIRST_DAY = datetime(2026, 2, 1, tzinfo=UTC)
#: Minutes of a day that have candles: enough for the confidence sequence to decide.
MINUTES = 100
STATE_TABLES = ("active_ensembles", "ensemble_events", "ab_evaluations")

# The price alternates: it rises from even minutes and falls from odd ones.
_CANDLES = """
insert into candles_1m (
    symbol, open_time, open, high, low, close, volume, quote_asset_volume, taker_buy_base_asset_volume,
    taker_buy_quote_asset_volume, number_of_trades
)
select %(symbol)s, %(day)s + minute * interval '1 minute', 100, 101, 100, 100 + minute %% 2, 1, 100, 0.5, 50, 1
from generate_series(0, %(minutes)s) as minute
on conflict do nothing"""
# Right in the first `share` of the minutes.
_PREDICTIONS = """
insert into predictions (
    symbol, ensemble_id, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
    mamba_close, lgbm_close, confidence
)
select
    %(symbol)s, id, candle_time, candle_time + interval '1 minute', 1, predicted, 100, 100 + minute %% 2, predicted,
    predicted, 1
from unnest(%(ids)s::bigint[], %(shares)s::float8[]) as ensemble (id, share)
cross join generate_series(0, %(minutes)s - 1) as minute
cross join lateral (values (
    %(day)s + minute * interval '1 minute',
    case when (minute %% 2 = 0) = (minute < share * %(minutes)s) then 0.001 else -0.001 end
)) as forecast (candle_time, predicted)
on conflict do nothing"""


def connect(url: str, **options: Any) -> psycopg.Connection:
    """A superuser's autocommit connection with named rows. Its backend does not load torch, which takes seconds.

    A statement timeout ends a test that fails while another session holds a lock.
    """
    usual = {"autocommit": True, "row_factory": namedtuple_row, "options": "-c statement_timeout=20s"}
    db = psycopg.connect(url, **usual | options)
    in_backend(db, "import os; os.environ['ML_TORCHSCRIPT'] = 'off'")
    if not db.autocommit:
        db.commit()
    return db


def judge_daily(db: psycopg.Connection, **values: str) -> None:
    """Change the settings so that one day of `add_day` decides. `values` are further settings."""
    values = {"promotion_guard": "none", "ab_min_pairs": "1"} | values
    db.cursor().executemany("update ml_settings set value = %s where name = %s", [(v, k) for k, v in values.items()])


def add_day(db: psycopg.Connection, day: int | datetime, symbol: str, shares: Mapping[int, float]) -> datetime:
    """Insert a day's candles and predictions, each ensemble right in its share of the minutes; returns the day's end.

    `day` is the number of the day or its first minute.
    """
    if isinstance(day, int):
        day = FIRST_DAY + day * DAY
    values = {"symbol": symbol, "day": day, "minutes": MINUTES}
    db.execute(_CANDLES, values)
    db.execute(_PREDICTIONS, values | {"ids": list(shares), "shares": list(shares.values())})
    return day + DAY


def pair(db: psycopg.Connection, artifacts: Any, **changes: Any) -> tuple[int, int]:
    """Register the versions of the two folders. `changes` are passed to register()."""
    return tuple(register(db, Path(folder), **changes) for folder in artifacts)


def tables(db: psycopg.Connection) -> dict[str, list]:
    """All rows of the tables with the states of ensembles and their reasons."""
    return {name: db.execute(f"select * from {name} order by id").fetchall() for name in STATE_TABLES}


def states(db: psycopg.Connection, symbol: str = "DEMO") -> dict[int, str]:
    return dict(
        db.execute("select id, state from active_ensembles where symbol = %s order by id", (symbol,)).fetchall()
    )


def check(db: psycopg.Connection, places: int) -> None:
    """Check the invariants that hold after any calls.

    The number of ensembles per state is limited, a symbol that had an active ensemble still has one, and the history
    is complete.
    """
    ensembles = db.execute("select id, symbol, state from active_ensembles").fetchall()
    counts: dict[tuple, int] = defaultdict(int)
    for _, symbol, state in ensembles:
        counts[symbol, state] += 1
    for (symbol, state), number in counts.items():
        assert number <= {"active": 1, "shadow": 1, "test": places}.get(state, number), (symbol, state, number)
    events = db.execute("select * from ensemble_events order by id").fetchall()
    replayed: dict[int, str] = {}
    for event in events:
        assert event.from_state == replayed.get(event.ensemble_id), ("a change is missing or recorded twice", event)
        assert event.from_state != event.to_state, event
        replayed[event.ensemble_id] = event.to_state
    assert replayed == {each: state for each, _, state in ensembles}
    had = {event.symbol for event in events if event.to_state == "active"}
    assert had == {symbol for _, symbol, state in ensembles if state == "active"}
    columns = "symbol, ensemble_id, came_by, live_from, decided_at, evaluation_id, went_by, live_to"
    history = db.execute(f"select {columns} from ensemble_history order by live_from").fetchall()
    periods = _active_periods(events)
    assert list(map(tuple, history)) == periods
    for each, symbol, state in ensembles:
        if state == "shadow":  # replaced by the last promotion
            before, now = [period for period in periods if period[0] == symbol][-2:]
            assert (before[1], now[2]) == (each, "promoted"), (before, now)
    _check_evaluations(db.execute("select * from ab_evaluations order by id").fetchall(), events)


def _active_periods(events: list) -> list[tuple]:
    """The expected rows of ensemble_history. The events of a change of the active ensemble are adjacent."""
    periods: list[list] = []
    open_period: dict[str, list] = {}
    for place, event in enumerate(events):
        if event.from_state == "active":
            period = open_period.pop(event.symbol)
            assert period[1] == event.ensemble_id, ("another one was active", event)
            successor = events[place + 1]
            period += [event.event, successor.recorded_at]
            assert (successor.symbol, successor.to_state) == (event.symbol, "active"), ("a gap", event, successor)
            assert successor.recorded_at >= event.recorded_at
        if event.to_state == "active":
            assert event.symbol not in open_period, ("two at once", event)
            period = [event.symbol, event.ensemble_id, event.event, event.recorded_at, event.at_time]
            open_period[event.symbol] = [*period, event.evaluation_id]
            periods.append(open_period[event.symbol])
    return [(*period, None, None) if len(period) == 6 else tuple(period) for period in periods]


def _check_evaluations(rows: list, events: list) -> None:
    """Each decision caused exactly its own events."""
    done: dict[int, set] = defaultdict(set)
    for event in events:
        if event.evaluation_id is not None:
            done[event.evaluation_id].add((event.ensemble_id, event.event))
    for row in rows:
        if row.decision == "retire" and "this comparison ends" in row.reason:
            assert not done[row.id], ("the promotion in the same call has retired it", row)
            continue
        expected = {
            "retire": {(row.challenger_id, "retired")},
            "promote": {(row.challenger_id, "promoted"), (row.active_id, "replaced")},
            "roll_back": {(row.challenger_id, "restored"), (row.active_id, "rolled_back")},
        }.get(row.decision, set())
        others = {(each, event) for each, event in done[row.id] - expected if event == "retired"}
        assert done[row.id] - others == expected, row
        assert not others or (row.decision == "promote" and len(others) == 1), ("an older shadow retires", row)
