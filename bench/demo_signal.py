"""How much the generated DEMO candles can tell: the direction accuracy of their hidden signal.

    python bench/demo_signal.py

Prints, for each horizon over a year of minutes, how often the sign of the hidden order flow (the ceiling
of any model), of the last candle's taker share, and of the last return is the sign of the return ahead.
"""

import numpy as np

from candlecast.core.feature_names import HORIZONS
from candlecast.server.demo.candles import generate, order_flow

_FROM, _MINUTES = 29_000_000, 525_600


def measure(from_minute: int = _FROM, minutes: int = _MINUTES) -> dict[str, list[float]]:
    """Direction accuracy of each guess, a share of the minutes whose return is not 0, by horizon."""
    candles = generate(from_minute, from_minute + minutes)
    log_close = np.log(candles["close"])
    guesses = {
        "hidden order flow": order_flow(from_minute, from_minute + minutes),
        "taker share": candles["taker_buy_base_asset_volume"] / candles["volume"] - 0.5,
        "last return": log_close - np.log(candles["open"]),
    }
    accuracy: dict[str, list[float]] = {name: [] for name in guesses}
    for horizon in HORIZONS:
        ahead = log_close[horizon:] - log_close[:-horizon]
        for name, guess in guesses.items():
            hits = np.sign(guess[:-horizon]) == np.sign(ahead)
            accuracy[name].append(float(hits[ahead != 0].mean()))
    return accuracy


if __name__ == "__main__":
    for name, shares in measure().items():
        print(f"{name:18}", *(f"{100 * share:.1f} %" for share in shares), sep="  ")
