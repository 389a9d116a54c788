"""Loading candle files into candles_1m: counts, rejected rows, and all or nothing."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candlecast.candles.load import LoadReport, load_file
from candlecast.core.errors import FileRefused
from tests.support.csv_files import GOOD, HEADER, START, counts, line, stored, write


@pytest.fixture
def feeder(connect_as: Callable[..., psycopg.Connection]) -> psycopg.Connection:
    """A session with the rights of a feeder only."""
    return connect_as("candlecast_feeder")


def test_values_are_stored_exactly(db: psycopg.Connection, tmp_path: Path) -> None:
    load_file(db, write(tmp_path, line(0)))
    row = db.execute(
        "select symbol, extract(epoch from open_time)::bigint, open, high, low, close, volume, quote_asset_volume,"
        " number_of_trades, taker_buy_base_asset_volume, taker_buy_quote_asset_volume, spread_bps from candles_1m"
    ).fetchone()
    assert row == ("BTCUSDT", START, *GOOD.values(), None)


def test_loading_a_file_again_changes_nothing(feeder: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path, *(line(minute) for minute in range(5)))
    assert counts(load_file(feeder, path)) == (5, 0, 0)
    before = stored(feeder)
    assert counts(load_file(feeder, path)) == (0, 0, 5)
    assert stored(feeder) == before


def test_a_later_file_changes_differing_candles(feeder: psycopg.Connection, tmp_path: Path) -> None:
    load_file(feeder, write(tmp_path, *(line(minute) for minute in range(3))))
    report = load_file(feeder, write(tmp_path, line(1), line(2, close=100.0), line(3)))
    assert counts(report) == (1, 1, 1)
    assert [row[0] for row in feeder.execute("select close from candles_1m order by open_time")] == [101, 101, 100, 101]


@pytest.mark.parametrize("column", GOOD)
def test_every_column_can_change(db: psycopg.Connection, tmp_path: Path, column: str) -> None:
    load_file(db, write(tmp_path, line(0)))
    value = GOOD[column] - 0.5 if column != "number_of_trades" else 41
    assert counts(load_file(db, write(tmp_path, line(0, **{column: value})))) == (0, 1, 0)
    assert db.execute(f"select {column} from candles_1m").fetchone() == (value,)


@pytest.mark.parametrize(
    ("before", "after", "expected", "changed"),
    [
        ("1.5", None, 1.5, 0),  # a file without the column
        ("1.5", "", 1.5, 0),  # a file without this value
        ("1.5", "1.5", 1.5, 0),
        ("1.5", "2.5", 2.5, 1),
        ("", "2.5", 2.5, 1),
        ("", "", None, 0),
    ],
)
def test_a_stored_spread_is_never_lost(
    db: psycopg.Connection, tmp_path: Path, before: str, after: str | None, expected: float | None, changed: int
) -> None:
    with_spread = HEADER + ",spread_bps"
    load_file(db, write(tmp_path, f"{line(0)},{before}", header=with_spread))
    if after is None:
        report = load_file(db, write(tmp_path, line(0)))
    else:
        report = load_file(db, write(tmp_path, f"{line(0)},{after}", header=with_spread))
    assert counts(report) == (0, changed, 1 - changed)
    assert db.execute("select spread_bps from candles_1m").fetchone() == (expected,)


def test_candles_with_and_without_spreads_are_loaded(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = [f"{line(minute)},{spread}" for minute, spread in enumerate(("", "1.5", "", "2.5"))]
    report = load_file(db, write(tmp_path, *rows, header=HEADER + ",spread_bps"))
    assert counts(report) == (4, 0, 0)
    stored_spreads = db.execute("select spread_bps, close from candles_1m order by open_time").fetchall()
    assert stored_spreads == [(None, 101.0), (1.5, 101.0), (None, 101.0), (2.5, 101.0)]


BROKEN = [
    # what, the third line's values, the constraint
    ("NaN price", {"close": "NaN"}, "candles_1m_prices"),
    ("infinite price", {"high": "inf"}, "candles_1m_prices_positive"),
    ("price of zero", {"low": 0}, "candles_1m_prices_positive"),
    ("high below low", {"high": 99, "open": 99, "close": 99}, "candles_1m_prices_within_high_and_low"),
    ("close above high", {"close": 102.5}, "candles_1m_prices_within_high_and_low"),
    ("NaN volume", {"volume": "nan"}, "candles_1m_"),
    ("negative volume", {"volume": -1}, "candles_1m_"),
    ("a volume that overflows sums of squares", {"quote_asset_volume": 1e300}, "candles_1m_volumes_finite"),
    ("negative trades", {"number_of_trades": -1}, "candles_1m_volumes_finite"),
    ("taker volume above volume", {"taker_buy_base_asset_volume": 4}, "candles_1m_taker_volumes_within_volumes"),
    (
        "a share of takers that overflows",
        {"taker_buy_base_asset_volume": 1e300, "volume": 1e-300},
        "candles_1m_taker_volumes_within_volumes",
    ),
]


@pytest.mark.parametrize(("what", "values", "constraint"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_failed_check_names_its_line_and_writes_nothing(
    feeder: psycopg.Connection, tmp_path: Path, what: str, values: dict[str, object], constraint: str
) -> None:
    load_file(feeder, write(tmp_path, line(0)))
    before = stored(feeder)
    path = write(tmp_path, line(0, close=100.0), line(1), line(2, **values), line(3), line(4, low=-1))
    with pytest.raises(FileRefused) as refusal:
        load_file(feeder, path)
    assert refusal.value.place == "line 4"
    assert refusal.value.message.startswith(f"{path}: line 4: the candle of 2026-03-01 00:02 UTC violates {constraint}")
    assert "candles_1m accepts only rows where" in str(refusal.value.hint)
    assert "::" not in str(refusal.value.hint)
    assert stored(feeder) == before


def test_a_constraint_is_shown_without_its_casts(db: psycopg.Connection, tmp_path: Path) -> None:
    with pytest.raises(FileRefused) as refusal:
        load_file(db, write(tmp_path, line(0, number_of_trades=-1)))
    for words in ("(volume = 0)", "(number_of_trades >= 0)", "(quote_asset_volume < 1000000000000000000)"):
        assert words in str(refusal.value.hint)


def test_a_candle_off_the_minute_is_rejected(db: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path, line(0), line(1.5))
    with pytest.raises(FileRefused, match=r"line 3: the candle of 2026-03-01 00:01:30 UTC violates .*on_the_min"):
        load_file(db, path)


def test_errors_name_the_line_of_the_file_in_any_order(db: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path, line(9), "", line(8, low=-1), line(1), line(0, low=-1))
    with pytest.raises(FileRefused, match="line 4: the candle of 2026-03-01 00:08 UTC"):
        load_file(db, path)


def test_a_new_constraint_is_checked_without_a_new_loader(db: psycopg.Connection, tmp_path: Path) -> None:
    db.execute("alter table candles_1m add constraint no_thirteen check (number_of_trades <> 13)")
    with pytest.raises(FileRefused, match=r"line 3: .* violates no_thirteen \(number_of_trades 13\)"):
        load_file(db, write(tmp_path, line(0), line(1, number_of_trades=13)))


def test_an_error_of_the_insert_writes_nothing(db: psycopg.Connection, tmp_path: Path) -> None:
    db.execute("create unique index on candles_1m (volume)")
    with pytest.raises(FileRefused, match="duplicate key"):
        load_file(db, write(tmp_path, line(0), line(1)))
    assert stored(db) == []


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_the_sessions_time_zone_and_date_style_have_no_effect(
    db: psycopg.Connection, tmp_path: Path, zone: str, style: str
) -> None:
    db.execute("select set_config('TimeZone', %s, false), set_config('DateStyle', %s, false)", (zone, style))
    report = load_file(db, write(tmp_path, line(0), line(3)))
    assert counts(report) == (2, 0, 0)
    assert [str(gap) for gap in report.gaps] == ["2026-03-01 00:01 to 2026-03-01 00:02 (2 min)"]
    first = db.execute("select min(extract(epoch from open_time))::bigint from candles_1m").fetchone()
    assert first == (START,)
    with pytest.raises(FileRefused, match="line 3"):
        load_file(db, write(tmp_path, line(5), line(6.5)))
    assert db.execute("show timezone").fetchone() == (zone,)


GAPS = [
    # stored minutes, minutes of the file, reported gaps (first missing minute, number)
    ([], [0, 1, 2], []),
    ([], [0, 1, 4, 5, 9], [(2, 2), (6, 3)]),
    ([0], [3, 4], [(1, 2)]),
    ([9], [3, 4], [(5, 4)]),
    ([0, 9], [3, 4, 6], [(1, 2), (5, 1), (7, 2)]),
    ([0, 2], [1], []),
    ([0, 5, 6], [6, 7], []),  # a gap away from the file
    ([0, 2, 9], [2, 3], [(1, 1), (4, 5)]),
]


@pytest.mark.parametrize(("before", "minutes", "expected"), GAPS)
def test_gaps_within_and_around_the_file_are_reported(
    db: psycopg.Connection, tmp_path: Path, before: list[int], minutes: list[int], expected: list[tuple[int, int]]
) -> None:
    if before:
        load_file(db, write(tmp_path, *map(line, before)))
    load_file(db, write(tmp_path, *map(line, range(20))), "ETHUSDT")  # another symbol fills nothing
    report = load_file(db, write(tmp_path, *map(line, minutes)))
    assert [(gap.first.timestamp(), gap.minutes) for gap in report.gaps] == [
        (START + 60 * first, minutes) for first, minutes in expected
    ]


def test_candles_that_end_after_the_servers_now_are_skipped(db: psycopg.Connection, tmp_path: Path) -> None:
    now = db.execute("select extract(epoch from date_trunc('minute', now()))::bigint").fetchone()
    assert now
    this = (now[0] - START) // 60
    report = load_file(db, write(tmp_path, line(this - 1), line(this + 2), line(this + 3, low=-1)))
    assert (counts(report), report.unclosed) == ((1, 0, 0), 2)
    report = load_file(db, write(tmp_path, line(this + 2)))
    assert (counts(report), report.unclosed, report.gaps) == ((0, 0, 0), 1, [])


def test_two_concurrent_loads_of_the_same_minutes(database_url: str, tmp_path: Path) -> None:
    rows = [line(minute) for minute in range(3000)]
    paths = [write(tmp_path, *rows, name="BTCUSDT-1m-a.csv"), write(tmp_path, *rows[::-1], name="BTCUSDT-1m-b.csv")]
    reports: list[LoadReport] = []

    def load(path: Path) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            reports.append(load_file(connection, path))

    threads = [threading.Thread(target=load, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(counts, reports)) == [(0, 0, 3000), (3000, 0, 0)]


def test_rows_are_locked_in_time_order_without_deadlock(
    database_url: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    load_file(db, write(tmp_path, line(0), line(1)))
    path = write(tmp_path, line(1, close=100.0), line(0, close=100.0))
    reports: list[LoadReport] = []

    def load() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            reports.append(load_file(connection, path))

    change = "update candles_1m set close = 100.25 where open_time = to_timestamp(%s)"
    thread = threading.Thread(target=load)
    with db.transaction():
        db.execute(change, (START,))
        thread.start()
        waiting = "select count(*) from pg_locks where not granted and transactionid = pg_current_xact_id()::text::xid"
        deadline = time.monotonic() + 10
        while db.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < deadline, "the loader does not wait for the row that is being changed"
            time.sleep(0.01)
        db.execute(change, (START + 60,))  # the loader waits for the first row and must not hold this one
    thread.join()
    assert [counts(report) for report in reports] == [(0, 2, 0)]
    assert db.execute("select distinct close from candles_1m").fetchall() == [(100.0,)]


def test_a_candle_committed_during_the_copy_is_changed(
    database_url: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    other = write(tmp_path, line(1, close=100.0), name="BTCUSDT-1m-feed.csv")
    path = write(tmp_path, line(0), line(1), line(2))
    reports: list[LoadReport] = []

    def load() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            reports.append(load_file(connection, path))

    thread = threading.Thread(target=load)
    with db.transaction():
        load_file(db, other)  # not committed, so invisible to the loader
        thread.start()
        waiting = "select count(*) from pg_locks where not granted and transactionid = pg_current_xact_id()::text::xid"
        deadline = time.monotonic() + 10
        while db.execute(waiting).fetchone() == (0,):
            assert time.monotonic() < deadline, "the loader does not wait for the candle that is being written"
            time.sleep(0.01)
    thread.join()
    assert [counts(report) for report in reports] == [(2, 1, 0)]
    assert db.execute("select close from candles_1m order by open_time").fetchall() == [(101.0,)] * 3


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.dictionaries(st.integers(0, 12), st.floats(100, 102), min_size=1, max_size=10), min_size=1, max_size=4
    )
)
def test_counts_agree_with_a_model_of_the_table(
    db: psycopg.Connection, tmp_path: Path, files: list[dict[int, float]]
) -> None:
    db.execute("truncate candles_1m")
    table: dict[int, float] = {}
    for closes in files:
        report = load_file(db, write(tmp_path, *(line(minute, close=close) for minute, close in closes.items())))
        assert report.inserted == len(closes.keys() - table.keys())
        assert report.unchanged == sum(table.get(minute) == close for minute, close in closes.items())
        table |= closes
        assert report.inserted + report.changed + report.unchanged == len(closes)
    rows = db.execute("select (extract(epoch from open_time)::bigint - %s) / 60, close from candles_1m", (START,))
    assert dict(rows.fetchall()) == table


def test_overlapping_files_are_merged(db: psycopg.Connection, shared_data: Path) -> None:
    reports = [load_file(db, path) for path in sorted((shared_data / "warts").glob("production_*.parquet"))]
    assert [counts(report) for report in reports] == [(100, 0, 0), (100, 0, 0), (55, 1, 44)]


def test_the_gap_in_a_real_file_is_reported(db: psycopg.Connection, shared_data: Path) -> None:
    report = load_file(db, shared_data / "warts" / "BTCUSDT-1m-2025-09_11-gap.csv.gz")
    assert counts(report) == (8678, 0, 0)
    assert [gap.minutes for gap in report.gaps] == [49_109]
