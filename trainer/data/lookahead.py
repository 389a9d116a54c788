"""The look-ahead guard: rows that know their own future are found before anything is trained or measured on them.

    check_no_lookahead(connection, "BTCUSDT", dataset)      # candles from the database
    check_rows(candles, dataset)                            # or from arrays

For a sample of minutes each feature is computed anew from the 150 candles up to that minute and nothing else, by the
reference in `trainer/features.py`, and each label from the closes that it is about. A row that differs has read another
candle, or the database's formula is not the reference's: either way nothing that follows would mean anything.
"""

from collections.abc import Mapping

import numpy as np
import psycopg

from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.core.errors import LookAhead
from candlecast.core.feature_names import FEATURES, VOLATILITY_30M
from candlecast.core.returns import scale_of
from candlecast.core.text import plain
from candlecast.core.times import MINUTE_SECONDS, describe_time
from candlecast.core.windows import FEATURE_WINDOW, HORIZONS
from candlecast.trainer.data.dataset import Dataset, copy_binary
from candlecast.trainer.features import compute_features

#: Minutes that are looked at.
SAMPLE = 200
#: Two computations of one feature differ by rounding alone; the parity test holds the view to 1e-9.
RELATIVE, ABSOLUTE = 1e-6, 1e-9

_CANDLES = f"""
with minutes as (
    select distinct on (candle.open_time) candle.*
    from unnest(%s::double precision[]) as sampled (candle_time)
    inner join candles_1m as candle
        on candle.symbol = %s
            and candle.open_time > to_timestamp(sampled.candle_time) - interval '{FEATURE_WINDOW} minutes'
            and candle.open_time <= to_timestamp(sampled.candle_time) + interval '{max(HORIZONS)} minutes'
    order by candle.open_time
)

select
    extract(epoch from open_time)::double precision,
    {", ".join(f"coalesce({name}::double precision, 'nan')" for name in RAW_COLUMNS)}
from minutes
order by open_time
"""


def check_no_lookahead(
    connection: psycopg.Connection, symbol: str, dataset: Dataset, sample: int = SAMPLE, seed: int = 0
) -> int:
    """Hold sampled rows to the candles that the database has of them; returns how many. Raises LookAhead."""
    chosen = _choose_sample(dataset, sample, seed)
    times = dataset.candle_time[chosen].astype(np.float64).tolist()
    rows = copy_binary(connection, _CANDLES, (times, symbol), columns=1 + len(RAW_COLUMNS))
    candles = {name: rows[:, 1 + column] for column, name in enumerate(RAW_COLUMNS)}
    return check_rows({"open_time": rows[:, 0].astype(np.int64), **candles}, dataset, sample, seed)


def check_rows(candles: Mapping[str, np.ndarray], dataset: Dataset, sample: int = SAMPLE, seed: int = 0) -> int:
    """The same with candles as ``compute_features`` reads them; those around the sampled minutes suffice."""
    open_time = np.asarray(candles["open_time"], np.int64)
    chosen = _choose_sample(dataset, sample, seed)
    for position in chosen:
        minute = int(dataset.candle_time[position])
        last = int(np.searchsorted(open_time, minute))
        first = last - FEATURE_WINDOW + 1
        if first < 0 or last >= len(open_time) or open_time[last] != minute:
            raise LookAhead(_what(dataset, minute, "features", "no candle of that minute or none before"), _HINT)
        known = {name: np.asarray(candles[name])[first : last + 1] for name in ("open_time", *RAW_COLUMNS)}
        _check_features(dataset, minute, dataset.features[dataset.ends[position]], known)
        scale = scale_of(dataset.features[dataset.ends[position], VOLATILITY_30M])
        for given in (dataset.returns[position], dataset.scaled[position] * scale):
            _check_labels(dataset, minute, given, open_time, np.asarray(candles["close"]), last)
    return len(chosen)


def _check_features(dataset: Dataset, minute: int, given: np.ndarray, known: dict[str, np.ndarray]) -> None:
    _, rows = compute_features(known)
    if not len(rows):
        raise LookAhead(_what(dataset, minute, "features", "no 150 candles a minute apart"), _HINT)
    for name, value, expected in zip(FEATURES, given, rows[-1], strict=True):
        if not np.isclose(value, expected, rtol=RELATIVE, atol=ABSOLUTE):
            raise LookAhead(
                _what(dataset, minute, f"{name} {value:.10g}", f"{expected:.10g} from the candles up to that minute"),
                _HINT,
            )


def _check_labels(
    dataset: Dataset, minute: int, given: np.ndarray, open_time: np.ndarray, close: np.ndarray, last: int
) -> None:
    """ln(close[t + h] / close[t]), close[t] being a feature too."""
    for horizon, value in zip(HORIZONS, given, strict=True):
        target = int(np.searchsorted(open_time, minute + horizon * MINUTE_SECONDS))
        if target >= len(open_time) or open_time[target] != minute + horizon * MINUTE_SECONDS:
            raise LookAhead(_what(dataset, minute, f"a label at {horizon} min", "no candle then"), _HINT)
        expected = float(np.log(close[target] / close[last]))
        if not np.isclose(value, expected, rtol=RELATIVE, atol=ABSOLUTE):
            raise LookAhead(
                _what(dataset, minute, f"a return of {value:.10g} at {horizon} min", f"{expected:.10g} by the closes"),
                _HINT,
            )


_HINT = (
    "A row may know the 150 candles up to its own minute and no later one. Compare the database's functions with this "
    "version's (alembic upgrade head), and features_between with trainer/features.py. Where candles were corrected "
    "while the rows were read, run the command again."
)


def _what(dataset: Dataset, minute: int, given: str, expected: str) -> str:
    when = describe_time(1_000_000 * minute)
    return f"look-ahead: the row of {plain(dataset.symbol)} at {when} has {given}, where there is {expected}"


def _choose_sample(dataset: Dataset, sample: int, seed: int) -> np.ndarray:
    """Positions into ``dataset.ends``, ascending: a sample without repetition, or all where there are fewer."""
    count = len(dataset.ends)
    return np.sort(np.random.default_rng(seed).choice(count, size=min(sample, count), replace=False))
