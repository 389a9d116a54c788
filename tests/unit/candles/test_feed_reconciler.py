"""The rules of the feed: candles that are written at once, that wait, and reads over REST. No network, no table."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.candles.feed.options import FeedOptions
from candlecast.candles.feed.reconciler import MAX_WAITING, NOTHING, Read, Reconciler, Step
from candlecast.candles.feed.symbol_feed import SymbolFeed
from candlecast.core.times import MINUTE_US
from candlecast.exchanges.base import Candle
from candlecast.exchanges.clock import Clock

HOUR = 60 * MINUTE_US
#: Seconds; all minutes of the tests have ended by then.
LATER = 1e6


def candle(minute, close=100.0):
    return Candle("BTCUSDT", minute * MINUTE_US, 100.0, 101.0, 99.0, close, 5.0, 500.0, 2.0, 200.0, 7)


def settled_at(minute, window=HOUR):
    """All candles up to this minute are stored, and the last two are remembered."""
    rule = Reconciler("BTCUSDT", window, (minute - 2) * MINUTE_US)
    read_all(rule, [candle(minute - 1), candle(minute)])
    return rule


def read_all(rule, candles, first=None):
    """Read these candles over REST, in one page; returns whether the last one is stored."""
    last = candles[-1].open_time
    read = rule.begin_read(rule.take_request() if first is None else first, last)
    assert read is not None
    assert rule.on_page(read, candles, len(candles)) is None
    return rule.end_read(last)


@pytest.fixture
def rule():
    """Settled up to minute 10."""
    return settled_at(10)


def test_the_next_minute_is_written_at_once(rule):
    step = rule.on_closed(candle(11), LATER)
    assert step.write == candle(11)
    assert rule.on_written(step) == NOTHING
    assert (rule.newest, rule.waiting, rule.is_read_requested, rule.written) == (11 * MINUTE_US, {}, False, 1)


def test_a_later_minute_waits_until_rest_filled_the_gap(rule):
    assert rule.on_closed(candle(13), LATER) == Step(read=True)
    assert (rule.is_read_requested, rule.is_settled) == (True, False)
    read_all(rule, [candle(11), candle(12)])
    assert rule.write_next().write == candle(13)


def test_consecutive_waiting_candles_are_written_one_by_one(rule):
    for minute in (12, 13):
        rule.on_closed(candle(minute), LATER)
    step, written = rule.on_closed(candle(11), LATER), []
    while step.write is not None:
        written.append(step.write)
        step = rule.on_written(step)
    assert (written, step) == ([candle(11), candle(12), candle(13)], NOTHING)


def test_a_candle_closed_before_its_end_is_ignored(rule):
    """The tolerance is 30 s, because the exchange's clock is estimated."""
    end = 12 * 60
    assert rule.on_closed(candle(11), end - 30).write == candle(11)
    step = rule.on_closed(candle(11), end - 31)
    assert (step.write, step.read, step.doubt_time) == (None, True, True)
    assert step.warning == "candle 1970-01-01 00:11 UTC was sent as closed before its end: ignored"


def test_a_repetition_is_ignored_and_a_revision_is_read(rule):
    assert rule.on_closed(candle(10), LATER) == NOTHING
    assert rule.on_closed(replace(candle(10), spread_bps=1.5), LATER) == NOTHING
    assert (rule.is_read_requested, rule.is_settled) == (False, True)
    assert rule.on_closed(candle(9, close=99.5), LATER) == Step(read=True)
    assert (rule.take_request(), rule.is_settled, rule.waiting) == (9 * MINUTE_US, False, {})


def test_a_minute_older_than_remembered_is_read(rule):
    assert rule.on_closed(candle(3), LATER) == Step(read=True)
    assert rule.take_request() == 3 * MINUTE_US


def test_an_old_minute_is_too_old_unless_it_repeats_known_data():
    rule = settled_at(10, 5 * MINUTE_US)
    read_all(rule, [candle(4)], first=4 * MINUTE_US)
    for old in (candle(4, close=99.5), candle(3)):
        step = rule.on_closed(old, LATER)
        assert "is too old for the feed" in step.warning
        assert not step.read
    assert rule.on_closed(replace(candle(4), spread_bps=1.5), LATER) == NOTHING
    assert rule.on_closed(candle(5), LATER) == Step(read=True)
    assert Reconciler("BTCUSDT", 5 * MINUTE_US).on_closed(candle(3), LATER) == NOTHING


def test_the_earliest_of_several_requests_is_used(rule):
    for minute in (8, 4, None, 6):
        assert rule.request_read(None if minute is None else minute * MINUTE_US).read
    assert rule.take_request() == 4 * MINUTE_US
    assert not rule.is_read_requested


def test_the_next_minute_is_written_during_a_rest_read(rule):
    """A verification, or REST that is down for an hour, does not delay candles of the stream."""
    rule.request_read(5 * MINUTE_US)
    step = rule.on_closed(candle(11), LATER)
    assert step.write == candle(11)
    rule.on_written(step)
    assert rule.on_closed(candle(13), LATER) == NOTHING
    assert (rule.is_settled, rule.take_request()) == (False, 5 * MINUTE_US)


def test_nothing_is_written_before_the_table_was_read():
    rule = Reconciler("BTCUSDT", HOUR)
    assert rule.on_closed(candle(11), LATER) == NOTHING
    assert rule.write_next() == NOTHING
    rule.on_table_read(10 * MINUTE_US)
    assert rule.write_next().write == candle(11)


def test_an_empty_table_is_filled_from_the_requested_minute():
    rule = Reconciler("BTCUSDT", HOUR)
    rule.on_table_read(None)
    assert rule.begin_read(3 * MINUTE_US, 9 * MINUTE_US) == Read(3 * MINUTE_US, 9 * MINUTE_US, 0)


def test_rest_is_read_in_pages_up_to_the_last_minute(rule):
    rule.request_read()
    read = rule.begin_read(rule.take_request(), 14 * MINUTE_US)
    assert (read.first, read.last) == (11 * MINUTE_US, 14 * MINUTE_US)
    read = rule.on_page(read, [candle(11), candle(12)], 2)
    assert (read.first, read.last, rule.newest) == (13 * MINUTE_US, 14 * MINUTE_US, 12 * MINUTE_US)
    assert rule.refilled == 2 + 2  # two of the fixture and two of this page
    assert rule.on_page(read, [], 0) is None
    assert (rule.end_read(14 * MINUTE_US), rule.end_read(12 * MINUTE_US), rule.is_settled) == (False, True, True)


def test_a_candle_that_rest_stored_no_longer_waits(rule):
    rule.request_read()
    rule.on_closed(candle(11, close=100.5), LATER)
    read_all(rule, [candle(11), candle(12)])
    assert (rule.newest, rule.waiting) == (12 * MINUTE_US, {})


def test_a_rejected_candle_no_longer_waits_and_is_read(rule):
    step = rule.on_refused(rule.on_closed(candle(11), LATER), "it violates a rule")
    assert step == Step(read=True, warning="it violates a rule")
    assert (rule.newest, rule.waiting, rule.written) == (10 * MINUTE_US, {}, 0)


def test_waiting_candles_are_limited_and_the_oldest_is_dropped(rule):
    rule.request_read()
    for minute in range(12, 12 + MAX_WAITING + 5):
        rule.on_closed(candle(minute), LATER)
    assert len(rule.waiting) == MAX_WAITING
    assert min(rule.waiting) == 17 * MINUTE_US


def test_a_lost_table_is_read_again_and_waiting_candles_stay(rule):
    to_write = rule.on_closed(candle(11), LATER)
    read = rule.begin_read(None, 11 * MINUTE_US)
    assert rule.on_table_lost() == Step(read=True)
    assert (rule.newest, rule.is_settled, rule.is_read_requested) == (None, False, True)
    assert rule.write_next() == NOTHING
    # Results of calls from before the loss are ignored.
    assert rule.on_written(to_write) == rule.on_refused(to_write, "") == NOTHING
    assert rule.on_page(read, [candle(11)], 1) is None
    assert (rule.newest, rule.written) == (None, 0)
    rule.on_table_read(10 * MINUTE_US)
    assert rule.write_next().write == candle(11)


def test_waiting_ends_with_a_request_or_the_timeout():
    async def scene(speed, seconds, *events):
        clock = Clock(speed)
        feed = SymbolFeed("BTCUSDT", None, None, None, FeedOptions(), clock)
        waiting = asyncio.ensure_future(feed._wait_for_request(seconds))
        await asyncio.sleep(0)
        for event in events:
            getattr(feed, event)()
        await asyncio.wait_for(waiting, 5)
        return feed._rule.is_read_requested

    assert not asyncio.run(scene(1000, 1))
    assert asyncio.run(scene(1, 60, "on_connected"))
    assert asyncio.run(scene(1, 60, "on_table_lost"))


@given(st.lists(st.tuples(st.integers(8, 30), st.sampled_from([100.0, 100.5])), max_size=60), st.data())
def test_no_order_of_messages_leaves_a_gap(messages, data):
    """The stream sends anything, REST sends the true candles at any time. No stored range has a gap."""
    rule = settled_at(10)
    table = {minute: candle(minute) for minute in range(11)}

    def carry_out(step):
        while step.write is not None:
            table[step.write.open_time // MINUTE_US] = step.write
            step = rule.on_written(step)

    def settle(over):
        read = rule.begin_read(rule.take_request(), over * MINUTE_US)
        carry_out(rule.write_next())
        while read is not None:
            page = [candle(minute) for minute in range(read.first // MINUTE_US, over + 1)][:7]
            table.update((one.open_time // MINUTE_US, one) for one in page)
            read = rule.on_page(read, page, len(page))
        carry_out(rule.write_next())
        rule.end_read(over * MINUTE_US)

    for minute, close in messages:
        carry_out(rule.on_closed(candle(minute, close), LATER))
        if rule.is_read_requested and data.draw(st.booleans()):
            settle(data.draw(st.integers(8, 30)))
        assert sorted(table) == list(range(rule.newest // MINUTE_US + 1))
        assert all(waiting > rule.newest for waiting in rule.waiting)
    rule.request_read(0)  # like a verification, but with a longer range
    settle(30)
    assert table == {minute: candle(minute) for minute in range(31)}
