"""`candlecast repair` fills gaps, corrects differing values and changes nothing else."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.candles.gaps import Gap, subtract_minutes
from candlecast.candles.history.klines import group_gaps
from candlecast.candles.history.repair import RepairOptions, _split_days, repair
from tests.support.backfilling import DAY, END, NOW, TODAY, as_feeder, binance, fill, loaded, market_of
from tests.support.feeding import difference

MINUTE = timedelta(minutes=1)
#: A whole day and more, the edge of a day, one minute, one of today.
MISSING = """
delete from candles_1m where
    open_time >= '2026-04-29 22:00+00' and open_time < '2026-05-01 01:00+00'
    or open_time = '2026-05-02 12:00+00' or open_time = '2026-05-03 03:00+00'
"""
#: One minute of a day with an archive, and one of today, which is read over REST.
CONFLICTING = """
update candles_1m set close = low, number_of_trades = number_of_trades + 1, spread_bps = 1.5
where open_time in ('2026-05-02 12:01+00', '2026-05-03 03:01+00')
"""


def run_repair(exchange, url: str, **options) -> int:
    return repair(["BTCUSDT"], RepairOptions(**options), binance(exchange), as_feeder(url))


@pytest.fixture
def broken(db, database_url):
    """An exchange, and a table with 1,622 missing and two differing candles."""
    with market_of(5) as exchange:
        assert fill(exchange, database_url, 5) == 0
        assert [db.execute(statement).rowcount for statement in (MISSING, CONFLICTING)] == [1622, 2]
        yield exchange


def columns(out: str) -> list[str]:
    """The cells of BTCUSDT's row."""
    (row,) = (line for line in out.splitlines() if line.startswith("│ BTCUSDT"))
    return [cell.strip() for cell in row.strip("│ ").split("│")]


def candles(db) -> list[tuple]:
    return db.execute("select xmin::text, * from candles_1m order by open_time").fetchall()


def test_gaps_are_filled_and_differences_corrected(db, database_url, broken, capsys) -> None:
    capsys.readouterr()
    assert run_repair(broken, database_url) == 0
    out = capsys.readouterr().out
    assert columns(out) == ["BTCUSDT", "5", "1,622", "2", "5,966", "2", "0"]
    assert "BTCUSDT 2026-05-02 12:01 UTC: close " in out
    assert ", number_of_trades " in out
    assert difference(db, broken.market, "BTCUSDT", TODAY - 5 * DAY, END) == ""
    assert db.execute("select count(*) from candles_1m where spread_bps = 1.5").fetchone() == (2,)

    before = candles(db)
    assert run_repair(broken, database_url) == 0
    assert candles(db) == before
    assert columns(capsys.readouterr().out) == ["BTCUSDT", "5", "0", "0", "7,590", "0", "0"]


@pytest.mark.parametrize("gaps_only", [False, True])
def test_a_dry_run_prints_the_same_and_writes_nothing(db, database_url, broken, capsys, gaps_only: bool) -> None:
    before, archives = candles(db), db.execute("select * from loaded_archives").fetchall()
    capsys.readouterr()
    assert run_repair(broken, database_url, gaps_only=gaps_only, dry_run=True) == 0
    dry = capsys.readouterr().out
    assert "Nothing was written: --dry-run." in dry
    assert "to fill" in dry
    assert candles(db) == before
    assert db.execute("select * from loaded_archives").fetchall() == archives
    assert run_repair(broken, database_url, gaps_only=gaps_only) == 0
    assert columns(capsys.readouterr().out) == columns(dry)


def test_gaps_only_fills_gaps_without_comparison(db, database_url, broken, capsys) -> None:
    requests = broken.counters.requests.copy()
    capsys.readouterr()
    assert run_repair(broken, database_url, gaps_only=True) == 0
    # One request for the first candle, one archive for the missing day, three pages for the other gaps.
    assert broken.counters.requests - requests == {"time": 1, "archive": 2, "klines": 1 + 3}
    assert columns(capsys.readouterr().out) == ["BTCUSDT", "1", "1,622", "0", "0", "182", "0"]
    assert db.execute("select open_time from candles_1m where spread_bps = 1.5").rowcount == 2
    assert "2 wrong" in difference(db, broken.market, "BTCUSDT", TODAY - 5 * DAY, END)


def test_only_the_requested_range_is_changed(db, database_url, broken) -> None:
    first, last = datetime(2026, 5, 2, 12, 1, tzinfo=UTC), datetime(2026, 5, 3, 3, 1, tzinfo=UTC)
    before = {row[2]: row for row in candles(db)}
    assert run_repair(broken, database_url, from_time=first, to_time=last - timedelta(seconds=30)) == 0
    after = {row[2]: row for row in candles(db)}
    changed = {time for time in after if after[time] != before.get(time)}
    assert changed == {first, last - MINUTE}


def test_a_halt_is_reported_and_stored_candles_are_kept(db, database_url, capsys) -> None:
    halt = (TODAY - DAY + 3600, TODAY - DAY + 7200)
    with market_of(2, halts=(halt,)) as exchange:
        assert fill(exchange, database_url, 2) == 0
        capsys.readouterr()
        for dry_run in (True, False):
            assert run_repair(exchange, database_url, dry_run=dry_run) == 0
            gap = "the exchange has no candles for 2026-05-02 01:00 to 2026-05-02 01:59 (60 min)"
            assert gap in capsys.readouterr().out
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 2 * DAY, END) == ""


def test_a_lost_archive_row_is_written_again(db, database_url) -> None:
    with market_of(2) as exchange:
        assert fill(exchange, database_url, 2) == 0
        db.execute("delete from loaded_archives")
        assert run_repair(exchange, database_url) == 0
        assert loaded(db) == ["2026-05-01", "2026-05-02"]


def test_days_without_a_valid_archive_are_compared_over_rest(db, database_url, broken, capsys) -> None:
    for day in range(28, 31):
        broken.corrupt(f"BTCUSDT-1m-2026-04-{day}.zip", *["truncated zip"] * 3)
    broken.corrupt("BTCUSDT-1m-2026-05-02.zip", *["wrong checksum"] * 3)
    assert run_repair(broken, database_url) == 0
    assert "candlecast: BTCUSDT-1m-2026-05-02.zip: its SHA-256 begins with" in capsys.readouterr().err
    assert difference(db, broken.market, "BTCUSDT", TODAY - 5 * DAY, END) == ""


def test_an_empty_symbol_and_an_empty_range_are_rejected(database_url, capsys) -> None:
    with market_of(1) as exchange:
        assert run_repair(exchange, database_url) == 1
        assert "the database has no candles of BTCUSDT" in capsys.readouterr().err
        future = datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1)
        assert run_repair(exchange, database_url, from_time=future) == 1
        assert "the range 2026-05-03 07:31" in capsys.readouterr().err


def test_archives_that_cannot_exist_are_not_requested(db, database_url, capsys) -> None:
    with market_of(2) as exchange:
        db.execute(
            "insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,"
            " taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)"
            " values ('DEMO', '2026-04-01', 1, 1, 1, 1, 0, 0, 0, 0, 0)"
        )
        assert repair(["DEMO"], RepairOptions(), binance(exchange), database_url) == 1
        assert "Binance has no symbol 'DEMO'" in capsys.readouterr().err
        assert exchange.counters.requests["archive"] == 0
        assert run_repair(exchange, database_url, from_time=datetime(2019, 1, 1, tzinfo=UTC)) == 0
        assert "the exchange's first candle is 2026-05-01 00:00 UTC" in capsys.readouterr().err
        assert exchange.counters.requests["archive"] == 4
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 2 * DAY, END) == ""


MIDNIGHT = datetime(2026, 4, 28, tzinfo=UTC)
RANGES = st.lists(st.integers(0, 6000), min_size=2, max_size=12, unique=True).map(
    lambda edges: [
        Gap(MIDNIGHT + a * MINUTE, MIDNIGHT + (b - 1) * MINUTE)
        for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)
    ]
)


def minutes_of(gaps) -> list[datetime]:
    return sorted(gap.first + number * MINUTE for gap in gaps for number in range(gap.minutes))


@given(ranges=RANGES, today=st.integers(0, 6))
def test_ranges_are_split_into_days_and_the_rest(ranges: list[Gap], today: int) -> None:
    days, edges = _split_days(ranges, date(2026, 4, 28) + timedelta(days=today))
    starts = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
    assert starts == sorted(starts)
    assert all(day < date(2026, 4, 28) + timedelta(days=today) for day in days)
    whole = [Gap(start, start + timedelta(days=1) - MINUTE) for start in starts]
    assert minutes_of([*whole, *edges]) == minutes_of(ranges)


@given(ranges=RANGES)
def test_gaps_within_one_page_share_a_request(ranges: list[Gap]) -> None:
    groups = group_gaps(ranges)
    assert [gap for group in groups for gap in group] == ranges
    assert all(len(group) == 1 or group[-1].last - group[0].first < 1000 * MINUTE for group in groups)


@given(ranges=RANGES, found=st.sets(st.integers(0, 6000)))
def test_found_minutes_are_removed_from_the_gaps(ranges: list[Gap], found: set[int]) -> None:
    import numpy as np

    start = int(MIDNIGHT.timestamp())
    times = np.array([(start + 60 * minute) * 10**6 for minute in found], dtype=np.int64)
    left = subtract_minutes(ranges, [times])
    removed = {MIDNIGHT + minute * MINUTE for minute in found}
    assert minutes_of(left) == [minute for minute in minutes_of(ranges) if minute not in removed]
    assert all(b.first - a.last > MINUTE for a, b in pairwise(left))
