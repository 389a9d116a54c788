"""`candlecast feed` where only a part of the world breaks: one symbol of several, this machine's clock."""

import asyncio

import pytest
from exchange import Market, StandIn
from feeding import HOUR, START, difference, feeding

from trainer.errors import CandlecastUserError
from trainer.exchanges.clock import Clock
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
    """A new symbol that the exchange has not ends the feed at its start; one with candles is waited for."""

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
    db.execute(
        "insert into candles_1m values ('LUNAUSDT', '2022-05-13 00:00+00', 1, 1, 1, 1, 1, 1, 1, 1, 1)",
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
                await until(here, lambda: state_of(db, "BTCUSDT")[2] > slept - 120, "it wakes up", 300)
                await here.sleep(120)
            return difference(db, market, "BTCUSDT", START - HOUR / 4, clock.now() - 180)

    assert not asyncio.run(scene())
