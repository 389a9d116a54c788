"""`candlecast feed` where only a part of the world breaks: one symbol of several, this machine's clock, the way to
the database.
"""

import asyncio
from contextlib import suppress

import pytest
from exchange import Market, StandIn
from feeding import HOUR, START, difference, feeding
from psycopg import conninfo

from trainer.errors import CandlecastUserError
from trainer.exchanges.clock import Clock
from trainer.feed import store
from trainer.feed.run import FeedOptions

SPEED = 600
OPTIONS = FeedOptions(lookback=HOUR / 2)


def state_of(db, symbol):
    return db.execute(
        "select state, last_error, extract(epoch from newest_open_time)::float8 from feed_status where symbol = %s",
        (symbol,),
    ).fetchone()


async def until(clock, condition, what, seconds=1800.0):
    """Wait by the clock; fails where it never comes true."""
    waited_from = clock.elapsed()
    while not condition():
        assert clock.elapsed() - waited_from < seconds, what
        await clock.sleep(5)


def test_a_symbol_that_was_delisted_stops_no_other(db, database_url):
    """A new symbol that the exchange has not ends the feed at its start and leaves no row; one that was fed is told."""

    async def scene(symbols):
        clock = Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 2 * HOUR)
        async with (
            StandIn(market, clock, update_every=20) as exchange,
            feeding(exchange, database_url, OPTIONS, symbols),
        ):
            await until(clock, lambda: (state_of(db, "BTCUSDT") or [""])[0] == "live", "the other one comes to life")
            await until(clock, lambda: state_of(db, "LUNAUSDT")[1] is not None, "it is told")
            return state_of(db, "LUNAUSDT"), difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    with pytest.raises(CandlecastUserError, match="Binance has no symbol 'LUNAUSDT'"):
        asyncio.run(scene(["LUNAUSDT"]))
    assert db.execute("select count(*) from feed_status").fetchone() == (0,)
    db.execute(
        "insert into feed_status (symbol, exchange, state, host, pid) values ('LUNAUSDT', 'binance', 'stopped', 'h', 1)"
    )
    (state, error, _), differs = asyncio.run(scene(["BTCUSDT", "LUNAUSDT"]))
    assert state != "live"
    assert "no symbol 'LUNAUSDT'" in error
    assert not differs


def test_a_machine_that_slept_is_awake_within_minutes(db, database_url):
    """Its monotonic clock did not count the hour: the exchange's time has to be asked for anew."""

    async def scene():
        clock, here = Clock(SPEED, START), Clock(SPEED, START)
        market = Market(["BTCUSDT"], START - HOUR, START + 3 * HOUR)
        async with StandIn(market, clock, update_every=20) as exchange:
            async with feeding(exchange, database_url, OPTIONS, ["BTCUSDT"], here):
                await until(here, lambda: (state_of(db, "BTCUSDT") or [""])[0] == "live", "it comes to life")
                clock._start += HOUR
                slept = clock.now()
                await until(here, lambda: (state_of(db, "BTCUSDT")[2] or 0) > slept - 120, "it wakes up", 300)
                await here.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())


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


def test_a_way_to_the_database_that_is_cut_without_a_word_is_noticed(db, database_url, monkeypatch):
    """A proxy keeps the connection alive, and nobody answers: no keepalive and no limit of the server's ends that."""
    monkeypatch.setattr(store, "_PATIENCE", 0.4)
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
                await until(clock, lambda: (state_of(db, "BTCUSDT") or [""])[0] == "live", "it comes to life")
                cable.cut()
                await clock.sleep(120)
                cable.mend()
                mended = clock.now()
                await until(clock, lambda: (state_of(db, "BTCUSDT")[2] or 0) > mended, "it comes to life again", 3000)
                await clock.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())
