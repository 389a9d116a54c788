"""Waiting for candles: each symbol when its candle arrives, none after the deadline."""

import pytest

from candlecast.server import stored_candles
from candlecast.server.stored_candles import await_candles


class Clock:
    """A session whose candles arrive at given seconds. Its time advances only in sleep()."""

    def __init__(self, arrivals):
        self.arrivals, self.time, self.queries = arrivals, 0.0, 0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def rows(self, _query, _types, values):
        self.queries += 1
        return [()] if self.arrivals.get(values[0], float("inf")) <= self.time else []


@pytest.mark.parametrize(
    ("arrivals", "deadline", "expected"),
    [
        ({"A": 0.0, "B": 0.0}, 0.0, ["A", "B"]),
        ({"A": 0.5, "B": 0.1}, 1.0, ["B", "A"]),
        ({"A": 0.5}, 0.4, []),
        ({"B": 0.0}, 0.0, ["B"]),
    ],
)
def test_symbols_are_returned_as_their_candles_arrive(monkeypatch, arrivals, deadline, expected):
    clock = Clock(arrivals)
    monkeypatch.setattr(stored_candles.time, "sleep", clock.sleep)
    assert list(await_candles(clock, {"A", "B"}, 60.0, deadline)) == expected


def test_without_symbols_there_is_no_query():
    clock = Clock({})
    assert (list(await_candles(clock, (), 60.0, 1.0)), clock.queries) == ([], 0)
