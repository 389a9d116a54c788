"""`candlecast feed` when it is killed, stopped or started twice, and with faults of exchange, clock, database, candles.

Each scene ends with a comparison of the table with the market. The exchange is the stand-in of tests/exchange.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import sql

from bench.processes import CANDLECAST
from candlecast.candles.feed.options import FeedOptions
from candlecast.exchanges.clock import Clock
from tests.exchange import Faults, Market, Row, StandIn
from tests.support.feeding import (
    DAY,
    HOUR,
    MINUTE,
    START,
    SYMBOLS,
    ReplayClock,
    difference,
    feeding,
    never_true,
    stored,
    watch,
)
from tests.support.paths import ROOT

SPEED = 600.0
FEED = [*CANDLECAST, "feed"]
OPTIONS = FeedOptions(lookback=2 * HOUR)
STATE = "select state, last_error, newest_open_time, reconnects from feed_status where symbol = %s"


def market(symbols=SYMBOLS, *, hours=3.0, faults=None, **options):
    """A market from a day before START until some hours after it."""
    return Market(symbols, START - DAY - 2 * HOUR, START + hours * HOUR, faults, **options)


def differences(db, one, until, since=START - HOUR):
    found = [difference(db, one, symbol, since, until) for symbol in one.symbols]
    return [line for line in found if line]


async def until(condition, what, seconds=60.0, process=None):
    """Wait for a condition, at most ``seconds`` of real time, while the process runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process and process.returncode is not None:
            pytest.fail(f"it ended with status {process.returncode}: {(await process.communicate())[1].decode()}")
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)


def stored_to(db, moment):
    """A condition: all symbols have newer candles."""
    return lambda: newest(db) > moment


def state(db, symbol="BTCUSDT"):
    return (db.execute(STATE, (symbol,)).fetchone() or ("none",))[0]


@asynccontextmanager
async def fed(db_url, one, options=OPTIONS, speed=SPEED):
    """The stand-in and a feed of all its symbols."""
    clock = Clock(speed, START)
    async with (
        StandIn(one, clock, update_every=20.0) as exchange,
        feeding(exchange, db_url, options, one.symbols),
    ):
        yield exchange


@asynccontextmanager
async def process(exchange, url, at):
    """The feed as a process, killed at the end."""
    arguments = {
        "database_url": url,
        "symbols": exchange.market.symbols,
        "urls": [exchange.rest_url, exchange.stream_url, exchange.archive_url],
        "speed": exchange.clock.speed,
        "shown": START,
        "at": at,
        "options": {"lookback": HOUR},
    }
    command = [sys.executable, "-m", "tests.support.feed_process", json.dumps(arguments)]
    running = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGKILL)
        _, errors = await running.communicate()
        assert running.returncode == -signal.SIGKILL, errors.decode()


def test_a_killed_feed_continues_without_a_gap(db, database_url):
    one = market()
    watch(db)

    async def scene():
        at = time.monotonic()
        async with StandIn(one, Clock(SPEED, START), update_every=20.0) as exchange:
            for _ in range(2):  # killed at any time while it is live
                began = exchange.clock.now()
                async with process(exchange, database_url, at) as feed:
                    await until(stored_to(db, began + 14 * MINUTE), "a quarter of an hour is stored", process=feed)
            return exchange.clock.now(), exchange.counters.violations()

    now, violations = asyncio.run(scene())
    assert state(db) != "stopped"  # a killed feed cannot report it
    assert differences(db, one, newest(db), START) == []
    assert newest(db) > now - 10 * MINUTE
    assert [never_true(db, one, symbol) for symbol in SYMBOLS] == [[], [], []]
    assert violations == {}


def newest(db):
    """The newest minute of the symbol that is furthest behind, epoch seconds."""
    found = db.execute("select extract(epoch from max(open_time))::int8 from candles_1m group by symbol").fetchall()
    return min(minute for (minute,) in found) if len(found) == len(SYMBOLS) else 0


def test_a_day_of_outage_of_the_exchange_is_filled(make_database, template):
    """Two exchanges in parallel: one refuses connections, one accepts and resets them."""
    one = market(hours=40, faults=Faults(1, {"minute without trades": 0.05}))
    clock = ReplayClock(SPEED)

    async def scene(url, resetting):
        with psycopg.connect(url, autocommit=True) as db:
            async with StandIn(one, clock, update_every=20.0) as exchange, feeding(exchange, url, OPTIONS):
                await until(lambda: newest(db) > START + 10 * MINUTE, "it is live")
                await exchange.begin_outage(resetting=resetting)
                began = clock.now()
                clock.change_speed(20_000)
                await clock.sleep(DAY)
                assert state(db) == "disconnected"
                assert newest(db) < began
                clock.change_speed(SPEED)
                await exchange.end_outage()
                await until(lambda: newest(db) > began + DAY + 10 * MINUTE, "it is live again")
            return differences(db, one, newest(db)), exchange.counters.violations()

    async def scenes():
        return await asyncio.gather(*(scene(make_database(template), resetting) for resetting in (False, True)))

    assert asyncio.run(scenes()) == [([], {}), ([], {})]


def test_a_wrong_clock_stores_no_open_candle(make_database, template):
    """Four feeds in parallel, with clocks a minute and a day slow and fast."""
    one = market()

    async def scene(url, wrong_by):
        clock, wrong = Clock(SPEED, START), Clock(SPEED, START + wrong_by)
        with psycopg.connect(url, autocommit=True) as db:
            watch(db)
            async with (
                StandIn(one, clock, update_every=5.0) as exchange,
                feeding(exchange, url, OPTIONS, clock=wrong),
            ):
                await until(lambda: newest(db) > START + 15 * MINUTE, "a quarter of an hour is stored")
                exchange.drop_connections()
                await until(lambda: newest(db) > START + 30 * MINUTE, "another quarter of an hour is stored")
            unclosed = [row for symbol in SYMBOLS for row in never_true(db, one, symbol)]
            return wrong_by, differences(db, one, newest(db)), unclosed

    async def scenes():
        return await asyncio.gather(*(scene(make_database(template), by) for by in (-60.0, 60.0, -DAY, DAY)))

    for wrong_by, found, unclosed in asyncio.run(scenes()):
        assert (found, unclosed) == ([], []), f"{wrong_by} s wrong"


def test_hours_of_outage_of_the_database_are_filled(db, admin, database_url):
    one = market(hours=14)
    clock = ReplayClock(SPEED)
    # With these options only the reconnection to the database reads older minutes again.
    options = FeedOptions(lookback=2 * HOUR, overlap=0.0, verify_every=10 * DAY)
    name = sql.Identifier(db.info.dbname)

    def lock(allowed):
        # Other tests use the server, so it is not stopped.
        admin.execute(sql.SQL("alter database {} allow_connections " + str(allowed)).format(name))
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (db.info.dbname,))

    async def scene():
        async with StandIn(one, clock, update_every=20.0) as exchange, feeding(exchange, database_url, options):
            await until(lambda: newest(db) > START + 10 * MINUTE, "it is live")
            # As after a failover to a standby without the last minutes.
            db.execute("delete from candles_1m where open_time > to_timestamp(%s)", (newest(db) - 5 * MINUTE,))
            lock(False)
            began = clock.now()
            clock.change_speed(10_000)
            await clock.sleep(5 * HOUR)
            clock.change_speed(SPEED)
            lock(True)
            with psycopg.connect(database_url, autocommit=True) as again:
                await until(lambda: newest(again) > began + 5 * HOUR + 10 * MINUTE, "it is live again")
                return differences(again, one, newest(again)), exchange.counters.violations()

    assert asyncio.run(scene()) == ([], {})


def test_a_start_repairs_recent_candles_and_keeps_older_ones(db, database_url):
    one = market(["BTCUSDT"])
    truth = {row.open_time: row for row in one.truth("BTCUSDT", START - DAY, START - 10 * MINUTE)}
    gap = range(START - 5 * HOUR, START - 4 * HOUR, MINUTE)
    unclosed = START - 3 * HOUR
    kept = [row for minute, row in truth.items() if minute not in gap]
    kept[[row.open_time for row in kept].index(unclosed)] = one.row("BTCUSDT", unclosed, unclosed + 30)
    older = truth[START - DAY]._replace(open_time=START - 30 * DAY)
    columns = ", ".join(Row._fields[1:])
    for row in [older, *kept]:
        db.execute(
            f"insert into candles_1m (symbol, open_time, {columns}) values ('BTCUSDT', to_timestamp(%s)"
            + ", %s" * len(row[1:]) + ")", row,
        )  # fmt: skip

    async def scene():
        async with fed(database_url, one, FeedOptions()):
            await until(lambda: state(db) == "live", "it is live")

    asyncio.run(scene())
    assert stored(db, "BTCUSDT")[0] == older
    db.execute("delete from candles_1m where open_time = to_timestamp(%s)", (older.open_time,))
    assert differences(db, one, START - 2 * MINUTE, START - DAY + MINUTE) == []


def test_an_invalid_candle_is_reported_and_stops_no_other(db, database_url):
    one = market(["BTCUSDT"])
    live, past = START + 5 * MINUTE, START - 30 * MINUTE
    for minute in (live, past):
        one.corrupt("BTCUSDT", minute, high=1.0)

    async def scene():
        async with fed(database_url, one):
            await until(lambda: has(db, live + 10 * MINUTE), "all later candles are stored")
            await until(lambda: state(db) == "live", "feed_status says live")
            return db.execute(STATE, ("BTCUSDT",)).fetchone()[1]

    error = asyncio.run(scene())
    assert "the table rejected BTCUSDT 2026-04-16 11:05 UTC: " in error
    assert "candles_1m_prices_within_high_and_low" in error
    missing = {row.open_time for row in one.truth("BTCUSDT", START - HOUR, live + 10 * MINUTE)}
    missing -= {row.open_time for row in stored(db, "BTCUSDT")}
    assert missing == {live, past}


def has(db, minute, symbol="BTCUSDT"):
    """Whether the minute is stored."""
    query = "select 1 from candles_1m where symbol = %s and open_time = to_timestamp(%s)"
    return db.execute(query, (symbol, minute)).fetchone() is not None


def test_a_halt_of_the_exchange_is_not_requested_repeatedly(db, database_url):
    halts = [(START - HOUR, START - HOUR / 2), (START + 5 * MINUTE, START + 20 * MINUTE)]
    one = market(["BTCUSDT"], halts=halts)

    async def scene():
        async with fed(database_url, one) as exchange:
            await until(lambda: has(db, START + 25 * MINUTE), "candles after the halt are stored")
            await until(lambda: state(db) == "live", "feed_status says live")
            return exchange.counters

    counters = asyncio.run(scene())
    assert differences(db, one, START + 25 * MINUTE) == []
    assert counters.violations() == {}
    # Two per minute during the halt, and a few for the hour before and after.
    assert counters.requests["klines"] < 2 * 15 + 20


def test_quotes_give_the_spread_of_their_minute(db, database_url):
    one = market(["BTCUSDT"])

    async def scene():
        async with fed(database_url, one, FeedOptions(lookback=HOUR, quotes=True), 240.0):
            await until(lambda: has(db, START + 5 * MINUTE), "five minutes are stored")

    asyncio.run(scene())
    query = "select extract(epoch from open_time)::int8, spread_bps from candles_1m where open_time < to_timestamp(%s)"
    spreads = dict(db.execute(query, (START + 6 * MINUTE,)).fetchall())
    assert all(spreads[minute] is None for minute in spreads if minute < START)  # before the feed started
    for minute in range(START + 2 * MINUTE, START + 6 * MINUTE, MINUTE):
        assert spreads[minute] == pytest.approx(one.spread_bps("BTCUSDT", minute), abs=1e-2)


def test_sigterm_stops_a_feed_and_a_second_feed_exits(db, database_url):
    began = time.time()
    today = int(began) // MINUTE * MINUTE - 2 * MINUTE
    one = Market(["BTCUSDT", "ETHUSDT"], began - 2 * DAY, began + HOUR)

    async def command(exchange, *symbols):
        words = [word for symbol in symbols for word in ("--symbol", symbol)]
        environment = os.environ | exchange.environment() | {"DATABASE_URL": database_url}
        return await asyncio.create_subprocess_exec(
            *FEED, *words, cwd=ROOT, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )

    async def scene():
        async with StandIn(one, Clock()) as exchange:
            first = await command(exchange, "BTCUSDT", "ETHUSDT")
            try:
                await until(
                    lambda: has(db, today, "BTCUSDT") and has(db, today, "ETHUSDT"), "the day is stored", process=first
                )
                second = await command(exchange, "ETHUSDT")
                _, errors = await asyncio.wait_for(second.communicate(), 20)
                assert second.returncode == 75, errors.decode()
                assert f"another feed writes ETHUSDT: process {first.pid}" in errors.decode()
                assert state(db, "ETHUSDT") != "stopped"
                first.send_signal(signal.SIGTERM)
                _, errors = await asyncio.wait_for(first.communicate(), 20)
            finally:
                if first.returncode is None:
                    first.kill()
            assert first.returncode == 0, errors.decode()
            assert "Traceback" not in errors.decode()

    asyncio.run(scene())
    assert db.execute("select symbol, state, last_error from feed_status order by 1").fetchall() == [
        ("BTCUSDT", "stopped", None),
        ("ETHUSDT", "stopped", None),
    ]
    assert differences(db, one, today, began - DAY + 2 * MINUTE) == []
