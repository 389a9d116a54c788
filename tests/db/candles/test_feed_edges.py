"""`candlecast feed` where only a part of the world breaks: one symbol of several, this machine's clock, the way to
the database.
"""

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
    """Its state, what it last complained of, its newest minute."""
    query = "select state, last_error, extract(epoch from newest_open_time)::float8 from feed_status where symbol = %s"
    return db.execute(query, (symbol,)).fetchone() or ("no feed", None, None)


async def until(clock, condition, what, seconds=1800.0):
    """Wait by the clock; fails where it never comes true."""
    waited_from = clock.elapsed()
    while not condition():
        assert clock.elapsed() - waited_from < seconds, what
        await clock.sleep(5)


def insert_candle(db, symbol):
    """A month before START."""
    db.execute(
        "insert into candles_1m values (%s, to_timestamp(%s), 1, 1, 1, 1, 0, 0, 0, 0, 0)", (symbol, START - 30 * DAY)
    )


def test_a_symbol_that_was_delisted_stops_no_other(db, database_url):
    """It has candles, whoever brought them: the feed goes on with the others, and says so."""
    insert_candle(db, "LUNAUSDT")

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT", "LUNAUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "the other one comes to life")
            await until(clock, lambda: state_of(db, "LUNAUSDT")[1] is not None, "it is told")
            return state_of(db, "LUNAUSDT"), difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    (state, error, _), differs = asyncio.run(scene())
    assert state != "live"
    assert "no symbol 'LUNAUSDT'" in error
    assert not differs


def test_an_unknown_symbol_ends_the_feed_and_leaves_no_row(db, database_url):
    """Also where an earlier start met no exchange and left a row, and where the database is lost at that moment."""
    lost = asyncio.Event()

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with StandIn(market, clock, update_every=20) as exchange:
            await exchange.begin_outage()
            async with feeding(exchange, database_url, OPTIONS, ["LUNAUSDT"]):
                await until(clock, lambda: "cannot be reached" in (state_of(db, "LUNAUSDT")[1] or ""), "it is told")
            assert state_of(db, "LUNAUSDT")[0] == "stopped"
            await exchange.end_outage()
            async with Binance(clock, exchange.rest_url, exchange.stream_url) as binance:
                klines = binance.klines

                async def unknown(*asked):
                    try:
                        return await klines(*asked)
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


def test_an_impossible_number_of_trades_stops_no_other_candle(db, database_url, monkeypatch):
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
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "it comes to life")
            return state_of(db, "BTCUSDT")[1]

    assert "BTCUSDT 2026-04-16 10:50 UTC is refused: bigint out of range" in asyncio.run(scene())
    around = "select count(*) from candles_1m where abs(extract(epoch from open_time) - %s) <= 300"
    assert db.execute(around, (START - 600,)).fetchone() == (10,)  # of eleven


def test_a_frame_of_an_old_minute_is_named_and_not_read_from(db, database_url):
    """What is revised later than the last hour is `candlecast repair`'s; what is within it REST settles."""

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - 3 * DAY, START + 2 * HOUR)

        def said_again(minute):
            row = market.row("BTCUSDT", minute, clock.now())
            return kline_frame("BTCUSDT", row._replace(number_of_trades=row.number_of_trades + 1), clock.now(), True)

        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "it comes to life")
            asked = exchange.counters.requests["klines"]
            await exchange.send(said_again(START - 20 * 60))
            await until(clock, lambda: exchange.counters.requests["klines"] > asked, "REST settles it")
            await exchange.send(said_again(START - 2 * DAY))
            await until(clock, lambda: "is too old" in (state_of(db, "BTCUSDT")[1] or ""), "it is told")
            await clock.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())
    ((oldest,),) = db.execute("select extract(epoch from min(open_time))::int8 from candles_1m").fetchall()
    assert oldest >= START - HOUR


def test_whatever_the_exchange_says_as_it_hangs_up_is_told(db, database_url):
    """PostgreSQL's text holds no NUL: it is written out."""

    async def scene():
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, ["BTCUSDT"]),
        ):
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "it comes to life")
            await exchange.hang_up("good\0bye")
            await until(clock, lambda: "good" in (state_of(db, "BTCUSDT")[1] or ""), "it is told")
            await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "it comes to life again")
            return state_of(db, "BTCUSDT")[1]

    assert r"good\x00bye" in asyncio.run(scene())


def test_a_machine_that_slept_is_awake_within_minutes(db, database_url):
    """Its monotonic clock did not count the hour: the exchange's time has to be asked for anew."""

    async def scene():
        clock, here = Clock(SPEED, START), Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 3 * HOUR)
        async with StandIn(market, clock, update_every=20) as exchange:
            async with feeding(exchange, database_url, OPTIONS, ["BTCUSDT"], here):
                await until(here, lambda: state_of(db, "BTCUSDT")[0] == "live", "it comes to life")
                clock._start += HOUR
                slept = clock.now()
                await until(here, lambda: (state_of(db, "BTCUSDT")[2] or 0) > slept - 120, "it wakes up", 300)
                await here.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())


def test_a_failure_that_is_over_holds_nothing_back(db, database_url, monkeypatch):
    """It is waited for once: the minutes that the stream does not bring are asked for again."""
    waits, asked = iter([60.0]), []
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

            async def failing_once(*question):
                asked.append(clock.elapsed())
                if len(asked) == 1:
                    raise Unreachable("down for a moment")
                return await klines(*question)

            binance.klines = failing_once
            await until(clock, lambda: len(asked) > 3, "the next minutes are asked for")  # on connecting one at most

    asyncio.run(scene())
    assert asked[1] - asked[0] >= 60


class Cable:
    """The way to the database: what comes in on a port of 127.0.0.1 goes to the server's socket."""

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
        """What is connected stays so on this side, and hears nothing any more; the server has given it up."""
        self._is_cut = True
        for writer in self._servers:
            writer.close()

    def mend(self):
        """For new connections."""
        self._is_cut = False

    async def _connect(self, reader, writer):
        if self._is_cut:
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_unix_connection(self._path)
        self._clients.append(writer)
        self._servers.append(there_writer)
        with suppress(ConnectionError):
            await asyncio.gather(self._carry(reader, there_writer), self._carry(there_reader, writer))

    @staticmethod
    async def _carry(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def test_a_silently_cut_database_connection_is_noticed(db, database_url, monkeypatch):
    """A proxy keeps the connection alive, and nobody answers: no keepalive and no limit of the server's ends that."""
    monkeypatch.setattr(store, "_ANSWER_TIMEOUT", 0.4)
    info = db.info

    async def scene():
        clock = Clock(100, START)  # psycopg takes seconds to give the old connection up
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            Cable(f"{info.host}/.s.PGSQL.{info.port}") as cable,
            StandIn(market, clock, update_every=20) as exchange,
        ):
            way = {"host": "127.0.0.1", "port": cable.port, "user": info.user, "sslmode": "disable"}
            url = conninfo.make_conninfo(database_url, **way)
            async with feeding(exchange, url, OPTIONS, ["BTCUSDT"]):
                await until(clock, lambda: state_of(db, "BTCUSDT")[0] == "live", "it comes to life")
                cable.cut()
                await clock.sleep(120)
                cable.mend()
                mended = clock.now()
                await until(clock, lambda: (state_of(db, "BTCUSDT")[2] or 0) > mended, "it comes to life again", 3000)
                await clock.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())
