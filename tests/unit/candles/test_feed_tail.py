"""What of the stream is written at once, what waits, and what REST is asked for; no network, no table."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.candles.feed.tail import MOST_WAITING, Tail
from candlecast.core.times import MINUTE
from candlecast.exchanges.base import Candle
from candlecast.exchanges.clock import Clock


def candle(minute, close=100.0):
    return Candle("BTCUSDT", minute * MINUTE, 100.0, 101.0, 99.0, close, 5.0, 500.0, 2.0, 200.0, 7)


@pytest.fixture
def tail():
    """Settled up to minute 10."""
    tail = Tail("BTCUSDT", newest=10 * MINUTE, settled=True)
    tail.stored([candle(9), candle(10)])
    return tail


def test_the_next_minute_is_written_at_once(tail):
    assert tail.offer(candle(11))
    assert tail.next_waiting() == candle(11)
    tail.stored([candle(11)])
    assert (tail.newest, tail.next_waiting(), tail.is_asked) == (11 * MINUTE, None, False)


def test_a_later_minute_waits_until_rest_brought_the_others(tail):
    assert not tail.offer(candle(13))
    assert (tail.is_asked, tail.settled, tail.take_question()) == (True, False, None)
    tail.stored([candle(11), candle(12)])
    assert tail.next_waiting() == candle(13)


def test_a_repetition_asks_for_nothing_and_a_revision_asks_rest(tail):
    assert not tail.offer(candle(10))
    assert not tail.offer(replace(candle(10), spread_bps=1.5))
    assert (tail.is_asked, tail.settled) == (False, True)
    assert not tail.offer(candle(9, close=99.5))
    assert (tail.take_question(), tail.settled, tail.waiting) == (9 * MINUTE, False, {})


def test_an_older_minute_than_is_remembered_asks_rest(tail):
    assert not tail.offer(candle(3))
    assert tail.take_question() == 3 * MINUTE


def test_an_old_minute_is_too_old_unless_it_repeats_known_data(tail):
    window = 5 * MINUTE
    tail.stored([candle(4)])
    assert tail.is_too_old(candle(4, close=99.5), window)
    assert tail.is_too_old(candle(3), window)
    assert not tail.is_too_old(replace(candle(4), spread_bps=1.5), window)
    assert not tail.is_too_old(candle(5), window)
    assert not Tail("BTCUSDT").is_too_old(candle(3), window)


def test_the_earliest_question_counts(tail):
    for minute in (8, 4, None, 6):
        tail.ask(None if minute is None else minute * MINUTE)
    assert tail.take_question() == 4 * MINUTE
    assert not tail.is_asked


def test_the_next_minute_is_written_while_rest_still_reads(tail):
    """A verification, or an exchange whose REST is down for an hour, holds no candle of the stream back."""
    tail.ask(5 * MINUTE)
    assert tail.offer(candle(11))
    assert tail.next_waiting() == candle(11)
    tail.stored([candle(11)])
    assert not tail.offer(candle(13))
    assert (tail.settled, tail.take_question()) == (False, 5 * MINUTE)


def test_nothing_is_written_before_the_table_was_read():
    tail = Tail("BTCUSDT")
    assert not tail.offer(candle(11))
    assert tail.next_waiting() is None


def test_what_rest_brought_does_not_wait_any_more(tail):
    tail.ask()
    tail.offer(candle(11, close=100.5))
    tail.stored([candle(11), candle(12)])
    assert (tail.newest, tail.waiting) == (12 * MINUTE, {})


def test_what_waits_is_bounded_and_the_oldest_goes(tail):
    tail.ask()
    for minute in range(12, 12 + MOST_WAITING + 5):
        tail.offer(candle(minute))
    assert len(tail.waiting) == MOST_WAITING
    assert min(tail.waiting) == 17 * MINUTE


def test_a_lost_database_makes_all_unknown_but_keeps_what_waits(tail):
    tail.offer(candle(11))
    tail.forget()
    assert (tail.newest, tail.settled, tail.is_asked, tail.times_lost) == (None, False, True, 1)
    assert tail.next_waiting() is None
    tail.newest = 10 * MINUTE
    assert tail.next_waiting() == candle(11)


def test_waiting_ends_with_a_question_or_with_its_time(tail):
    async def scene():
        await tail.wait_to_be_asked(Clock(speed=1000), 1)
        assert not tail.is_asked
        waiting = asyncio.ensure_future(tail.wait_to_be_asked(Clock(), 60))
        await asyncio.sleep(0)
        tail.ask(5 * MINUTE)
        await asyncio.wait_for(waiting, 5)
        assert tail.take_question() == 5 * MINUTE

    asyncio.run(scene())


@given(st.lists(st.tuples(st.integers(8, 30), st.sampled_from([100.0, 100.5])), max_size=60), st.data())
def test_no_order_of_arrival_leaves_a_gap_behind_the_newest(messages, data):
    """REST answers at any time, with the truth; the stream says anything. No minute is missing in what is stored."""
    tail = Tail("BTCUSDT", newest=10 * MINUTE, settled=True)
    table = {minute: candle(minute) for minute in range(11)}

    def drain():
        while (one := tail.next_waiting()) is not None:
            table[one.open_time // MINUTE] = one
            tail.stored([one])

    def settle(over):
        first = tail.take_question()
        first = min(tail.newest // MINUTE + 1, tail.newest // MINUTE + 1 if first is None else first // MINUTE)
        drain()
        if came := [candle(minute) for minute in range(first, over + 1)]:
            table.update((one.open_time // MINUTE, one) for one in came)
            tail.stored(came)
        drain()
        tail.settled = True

    for minute, close in messages:
        if tail.offer(candle(minute, close)):
            drain()
        if tail.is_asked and data.draw(st.booleans()):
            settle(data.draw(st.integers(8, 30)))
        assert sorted(table) == list(range(tail.newest // MINUTE + 1))
        assert all(waiting > tail.newest for waiting in tail.waiting)
    tail.ask(0)  # as every verification does, only further back
    settle(30)
    assert table == {minute: candle(minute) for minute in range(31)}
