"""`candlecast feed` while PostgreSQL stops and starts again."""

import asyncio
import os
import time

import psycopg

from candlecast.candles.feed.options import FeedOptions
from candlecast.exchanges.clock import Clock
from tests.exchange import Faults, Market, StandIn
from tests.support.feeding import DAY, HOUR, MINUTE, START, SYMBOLS, difference, feeding, never_true, watch
from tests.support.paths import ROOT


def test_the_feed_loses_no_candle_at_a_postgresql_restart(make_database, template):
    """Twice: an immediate restart, and one after 20 minutes whose candles could not be written."""
    url = make_database(template)
    market = Market(SYMBOLS, START - DAY, START + 4 * HOUR, Faults(4, {"late closed frame": 0.05, "dropped": 0.3}))
    with psycopg.connect(url, autocommit=True) as db:
        watch(db)

    async def scene():
        clock = Clock(600.0, START)
        async with (
            StandIn(market, clock, update_every=20.0) as exchange,
            feeding(exchange, url, FeedOptions(lookback=HOUR)),
        ):
            for minutes_down in (0, 20):
                await stored_since(clock.now())
                await cluster("stop")
                await clock.sleep(minutes_down * MINUTE)
                await cluster("start")
            await stored_since(clock.now())
            return exchange.counters.violations()

    async def stored_since(now):
        """Wait until every symbol has candles up to ten minutes after `now`."""
        query = (
            "select count(*) from (select 1 from candles_1m group by symbol having max(open_time) > to_timestamp(%s))"
        )
        deadline = time.monotonic() + 30
        while True:
            with psycopg.connect(url) as db:
                if db.execute(f"{query} as whole", (now + 10 * MINUTE,)).fetchone() == (len(SYMBOLS),):
                    return
            assert time.monotonic() < deadline, "the feed does not continue"
            await asyncio.sleep(0.05)

    async def cluster(step):
        script = await asyncio.create_subprocess_exec(
            ROOT / "scripts" / "cluster.sh",
            step,
            env=os.environ | {"CLUSTER": os.environ["CANDLECAST_TEST_CLUSTER"]},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await script.wait() == 0

    assert asyncio.run(scene()) == {}
    with psycopg.connect(url) as db:
        (newest,) = db.execute("select extract(epoch from max(open_time))::int8 from candles_1m").fetchone()
        assert [difference(db, market, symbol, START, newest - 5 * MINUTE) for symbol in SYMBOLS] == ["", "", ""]
        assert [never_true(db, market, symbol) for symbol in SYMBOLS] == [[], [], []]
