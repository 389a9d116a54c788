"""`candlecast feed` with partial failures: one symbol of several, this machine's clock, the path to the database."""

import asyncio
from contextlib import suppress

import pytest
from psycopg import conninfo

from candlecast.candles.feed import store
from candlecast.candles.feed.loop import run_feed
from candlecast.candles.feed.options import FeedOptions
from candlecast.core.errors import CandlecastUserError, Unreachable
from candlecast.exchanges.binance import Binance
from candlecast.exchanges.clock import Clock
from tests.exchange import Faults, Market, StandIn
from tests.exchange.frames import kline_frame, kline_row
from tests.support.feeding import DAY, HOUR, START, difference, feeding

SPEED = 600
OPTIONS = FeedOptions(lookback=HOUR / 2)


def state_of(db, symbol):
    """The symbol's state, last error and newest minute."""
    query = "select state, last_error, extract(epoch from newest_open_time)::float8 from feed_status where symbol = %s"
    return db.execute(query, (symbol,)).fetchone() or ("no feed", None, None)


async def until(clock, condition, what, seconds=1800.0):
    """Wait by the clock for a condition; fails after ``seconds``."""
    waited_from = clock.elapsed()
    while not condition():
        assert clock.elapsed() - waited_from < seconds, what
        await clock.sleep(5)


def insert_candle(db, symbol):
    """Insert a candle of a month before START."""
    db.execute(
        "insert into candles_1m values (%s, to_timestamp(%s), 1, 1, 1, 1, 0, 0, 0, 0, 0)", (symbol, START - 30 * DAY)
    )


def test_a_delisted_symbol_stops_no_other(db, database_url):
    """The symbol has candles, so it was listed: the feed reports it and continues with the others."""
    insert_candle(db, "LUNAUSDT")

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT", "LUNAUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the other one is live")
            await until(clock, lambda: state_of(db, "LUNAUSDT")[1] is not None, "the error is reported")
            return state_of(db, "LUNAUSDT"), difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    (state, error, _), differs = asyncio.run(scene())
    assert state != "live"
    assert "no symbol 'LUNAUSDT'" in error
    assert not differs


def test_an_unknown_symbol_ends_the_feed_and_leaves_no_row(db, database_url):
    """Also if an earlier start without the exchange left a row, and if the database is lost at that moment."""
    lost = asyncio.Event()

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with StandIn(market, clock, update_every=20) as exchange:
            await exchange.begin_outage()
            async with feeding(exchange, database_url, OPTIONS, ["LUNAUSDT"]):
                await until(
                    clock, lambda: "cannot be reached" in (state_of(db, "LUNAUSDT")[1] or ""), "the error is reported"
                )
            assert state_of(db, "LUNAUSDT")[0] == "stopped"
            await exchange.end_outage()
            async with Binance(clock, exchange.rest_url, exchange.stream_url) as binance:
                klines = binance.klines

                async def unknown(*arguments):
                    try:
                        return await klines(*arguments)
                    finally:
                        if not lost.is_set():
                            lost.set()
                            db.execute(
                                "select pg_terminate_backend(pid, 10000) from pg_stat_activity "
                                "where datname = current_database() and application_name = 'candlecast feed'"
                            )

                binance.klines = unknown
                await asyncio.wait_for(run_feed(binance, ["LUNAUSDT"], database_url, OPTIONS, clock), 60)

    with pytest.raises(CandlecastUserError, match="Binance has no symbol 'LUNAUSDT'"):
        asyncio.run(scene())
    assert lost.is_set()
    assert db.execute("select count(*) from feed_status").fetchone() == (0,)


def test_an_invalid_number_of_trades_stops_no_other_candle(db, database_url, monkeypatch):
    def row(one):
        return kline_row(one._replace(number_of_trades=2**70) if one.open_time == START - 600 else one)

    monkeypatch.setattr("tests.exchange.server.kline_row", row)

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the feed is live")
            return state_of(db, "BTCUSDT")[1]

    assert "the table rejected BTCUSDT 2026-04-16 10:50 UTC: bigint out of range" in asyncio.run(scene())
    around = "select count(*) from candles_1m where abs(extract(epoch from open_time) - %s) <= 300"
    assert db.execute(around, (START - 600,)).fetchone() == (10,)  # of eleven


def test_a_frame_of_an_old_minute_is_reported_and_not_read(db, database_url):
    """A revision within the last hour is read over REST; an older one needs `candlecast repair`."""

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - 3 * DAY, START + 2 * HOUR)

        def revised_frame(minute):
            row = market.row("BTCUSDT", minute, clock.now())
            return kline_frame("BTCUSDT", row._replace(number_of_trades=row.number_of_trades + 1), clock.now(), True)

        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the feed is live")
            requests = exchange.counters.requests["klines"]
            await exchange.send(revised_frame(START - 20 * 60))
            await until(clock, lambda: exchange.counters.requests["klines"] > requests, "it is read over REST")
            await exchange.send(revised_frame(START - 2 * DAY))
            await until(clock, lambda: "is too old" in (state_of(db, "BTCUSDT")[1] or ""), "the error is reported")
            await clock.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())
    ((oldest,),) = db.execute("select extract(epoch from min(open_time))::int8 from candles_1m").fetchall()
    assert oldest >= START - HOUR


def test_the_close_reason_of_the_exchange_is_reported(db, database_url):
    """A NUL is escaped, because text of PostgreSQL cannot contain it."""

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the feed is live")
            await exchange.close_streams("good\0bye")
            await until(clock, lambda: "good" in (state_of(db, "BTCUSDT")[1] or ""), "the reason is reported")
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the feed is live again")
            return state_of(db, "BTCUSDT")[1]

    assert r"good\x00bye" in asyncio.run(scene())


def test_a_feed_recovers_after_the_machine_slept(db, database_url):
    """The monotonic clock did not count the hour, so the exchange's time must be requested again."""

    async def scene():
        clock, here = Clock(SPEED, START), Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 3 * HOUR)
        async with StandIn(market, clock, update_every=20) as exchange:
            async with feeding(exchange, database_url, OPTIONS, ["BTCUSDT"], here):
                await until(here, lambda: state_of(db, "BTCUSDT")[0] == "live", "the feed is live")
                clock._start += HOUR
                woke = clock.now()
                await until(here, lambda: (state_of(db, "BTCUSDT")[2] or 0) > woke - 120, "new candles are stored", 300)
                await here.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())


def test_a_failure_delays_requests_only_once(db, database_url, monkeypatch):
    """After one backoff, minutes that the stream does not send are requested again."""
    waits, requests = iter([60.0]), []
    monkeypatch.setattr("candlecast.candles.feed.symbol_feed.backoff", lambda attempt, longest: next(waits, DAY))
    options = FeedOptions(lookback=HOUR / 2, silence=HOUR, verify_every=DAY)

    async def scene():
        clock = Clock(60, START)
        market = Market(["BTCUSDT"], START - HOUR, START + HOUR, Faults(1, {"minute without trades or frame": 1.0}))
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, options, ["BTCUSDT"]) as binance,
        ):
            klines = binance.klines

            async def failing_once(*arguments):
                requests.append(clock.elapsed())
                if len(requests) == 1:
                    raise Unreachable("down for a moment")
                return await klines(*arguments)

            binance.klines = failing_once
            # On connecting there is at most one request.
            await until(clock, lambda: len(requests) > 3, "the next minutes are requested")

    asyncio.run(scene())
    assert requests[1] - requests[0] >= 60


class Cable:
    """A proxy for the database, from a port of 127.0.0.1 to the server's socket."""

    def __init__(self, path):
        self._path, self._is_cut, self._clients, self._servers = path, False, [], []

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error):
        self._listener.close()
        for writer in (*self._clients, *self._servers):
            writer.close()

    def cut(self):
        """Close the connections to the server; clients stay connected and receive nothing."""
        self._is_cut = True
        for writer in self._servers:
            writer.close()

    def restore(self):
        """Accept new connections again."""
        self._is_cut = False

    async def _connect(self, reader, writer):
        if self._is_cut:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_unix_connection(self._path)
        self._clients.append(writer)
        self._servers.append(there_writer)
        with suppress(ConnectionError):
            await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))

    @staticmethod
    async def _copy(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def test_a_silently_cut_database_connection_is_noticed(db, database_url, monkeypatch):
    """The proxy keeps the connection alive without a server, so neither keepalives nor server timeouts end it."""
    monkeypatch.setattr(store, "_ANSWER_TIMEOUT", 0.4)
    info = db.info

    async def scene():
        clock = Clock(100, START)  # psycopg takes seconds to close the old connection
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            Cable(f"{info.host}/.s.PGSQL.{info.port}") as cable,
            StandIn(market, clock, update_every=20) as exchange,
        ):
            through_cable = {"host": "127.0.0.1", "port": cable.port, "user": info.user, "sslmode": "disable"}
            url = conninfo.make_conninfo(database_url, **through_cable)
            async with feeding(exchange, url, OPTIONS, ["BTCUSDT"]):
                await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the feed is live")
                cable.cut()
                await clock.sleep(120)
                cable.restore()
                restored = clock.now()
                await until(clock, lambda: (state_of(db, "BTCUSDT")[2] or 0) > restored, "the feed is live again", 3000)
                await clock.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())
