"""Returns of following a forecast's signs, gross and net of costs. This is an estimate, not a trading system.

A forecast of h minutes is held for h minutes with 1/h of the capital, so the position at minute t is the mean
of the last h signs: h overlapping books (Jegadeesh & Titman 1993). Each change of the position pays the cost of one
side. Fills are at the reference close, without delay: the best case.
"""

from dataclasses import dataclass

import numpy as np

from candlecast.core.times import DAY_SECONDS, MINUTE_SECONDS
from candlecast.trainer.evaluation.intervals import mean_estimate

#: Costs per side, in basis points of the traded amount.
SIDES = (0, 2, 5, 10)
DAY_MINUTES = DAY_SECONDS // MINUTE_SECONDS
DAYS_A_YEAR = 365
BASIS_POINT = 1e-4


@dataclass(frozen=True)
class Book:
    """Minute by minute from the first forecast until the last position is closed.

    time (m,) int64 epoch seconds of the candle at whose close the position is taken; position (m,) in [-1, 1], held for
    the next minute; gross (m,) its log return; turnover (m,) |change of position|, including the final closing.
    """

    time: np.ndarray
    position: np.ndarray
    gross: np.ndarray
    turnover: np.ndarray
    horizon: int

    def net(self, side: float) -> np.ndarray:
        """(m,) log returns after a cost of ``side`` basis points per unit traded."""
        return self.gross - side * BASIS_POINT * self.turnover

    @property
    def days(self) -> float:
        """Length in days, including minutes without candles."""
        return len(self.time) / DAY_MINUTES

    @property
    def break_even(self) -> float:
        """The cost per side, in basis points, at which the net return is 0. Negative if gross returns are negative."""
        traded = float(self.turnover.sum())
        return float(self.gross.sum()) / traded / BASIS_POINT if traded else float("nan")

    def daily(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per UTC day: first second (days,), gross return (days,), turnover (days,)."""
        day, number = np.unique(self.time // DAY_SECONDS * DAY_SECONDS, return_inverse=True)
        return day, np.bincount(number, self.gross), np.bincount(number, self.turnover)

    def document(self) -> dict[str, object]:
        """Log returns, total and per day, and the yearly Sharpe ratio of daily returns, for each cost per side."""
        day, gross, turnover = self.daily()
        by_side = {}
        for side in SIDES:
            net = gross - side * BASIS_POINT * turnover
            total = float(net.sum())
            by_side[str(side)] = {"total": total, "per_day": total / self.days, "sharpe": _sharpe(net)}
        mean_gross = mean_estimate(DAY_MINUTES * self.gross, np.ones(len(self.gross)), self.horizon)
        return {
            "days": self.days,
            "gross_per_day": mean_gross.document(),
            "turnover_per_day": float(turnover.sum()) / self.days,
            "break_even_bps": self.break_even,
            "by_side_bps": by_side,
            "daily": {"day": day.tolist(), "gross": gross.tolist(), "turnover": turnover.tolist()},
        }


def _sharpe(daily: np.ndarray) -> float:
    """Mean of daily returns / their standard deviation * sqrt(365)."""
    deviation = float(daily.std(ddof=1)) if len(daily) > 1 else 0.0
    return float(daily.mean()) / deviation * float(np.sqrt(DAYS_A_YEAR)) if deviation else float("nan")


def follow_forecast(candle_time: np.ndarray, signs: np.ndarray, returns: np.ndarray, horizon: int) -> Book:
    """Follow forecasts of one horizon.

    candle_time (n,) epoch seconds, ascending; signs (n,) -1, 0 or 1; returns (n, 5), log returns of the next 1..5
    minutes.
    """
    minute = (candle_time - candle_time[0]) // 60
    length = int(minute[-1]) + horizon
    sign, one_minute = np.zeros(length), np.zeros(length)
    sign[minute] = signs
    # Before a gap, the minutes after a row have no rows. Their one-minute returns are differences of the row's returns.
    steps = np.diff(returns, axis=1, prepend=0.0)
    for ahead in reversed(range(horizon)):
        one_minute[minute + ahead] = steps[:, ahead]
    position = np.convolve(sign, np.ones(horizon))[:length] / horizon
    turnover = np.abs(np.diff(position, prepend=0.0))
    turnover[-1] += abs(position[-1])
    time = candle_time[0] + 60 * np.arange(length)
    return Book(time, position, position * one_minute, turnover, horizon)


def join_books(books: list[Book]) -> Book:
    """One book of several in equal shares. Opposite trades cancel."""
    longest = max(books, key=lambda one: len(one.time))
    position, gross = np.zeros(len(longest.time)), np.zeros(len(longest.time))
    for one in books:
        position[: len(one.time)] += one.position / len(books)
        gross[: len(one.time)] += one.gross / len(books)
    turnover = np.abs(np.diff(position, prepend=0.0))
    turnover[-1] += abs(position[-1])
    return Book(longest.time, position, gross, turnover, longest.horizon)
