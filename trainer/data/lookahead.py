"""The look-ahead guard: finds rows that contain future data, before training or evaluation uses them.

    check_no_lookahead(connection, "BTCUSDT", dataset)      # candles from the database
    check_rows(candles, dataset)                            # or from arrays

For a sample of minutes, the reference in `trainer/features.py` recomputes each feature from only the 150 candles up to
that minute, and each label from its closes. If a row differs, it was computed from another candle, or the database's
formula differs from the reference. Both make every later result invalid.
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

#: Number of minutes to check.
SAMPLE = 200
#: Two computations of one feature differ by rounding only. The parity test limits the view's difference to 1e-9.
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
    """Check sampled rows against the database's candles. Returns the number of rows checked. Raises LookAhead."""
    chosen = _choose_sample(dataset, sample, seed)
    times = dataset.candle_time[chosen].astype(np.float64).tolist()
    rows = copy_binary(connection, _CANDLES, (times, symbol), columns=1 + len(RAW_COLUMNS))
    candles = {name: rows[:, 1 + column] for column, name in enumerate(RAW_COLUMNS)}
    return check_rows({"open_time": rows[:, 0].astype(np.int64), **candles}, dataset, sample, seed)


def check_rows(candles: Mapping[str, np.ndarray], dataset: Dataset, sample: int = SAMPLE, seed: int = 0) -> int:
    """``check_no_lookahead`` for candles in the form of ``compute_features``; those near the sample suffice."""
    open_time = np.asarray(candles["open_time"], np.int64)
    chosen = _choose_sample(dataset, sample, seed)
    for position in chosen:
        minute = int(dataset.candle_time[position])
        last = int(np.searchsorted(open_time, minute))
        first = last - FEATURE_WINDOW + 1
        if first < 0 or last >= len(open_time) or open_time[last] != minute:
            raise LookAhead(_describe(dataset, minute, "features", "its candle or earlier ones are missing"), _HINT)
        known = {name: np.asarray(candles[name])[first : last + 1] for name in ("open_time", *RAW_COLUMNS)}
        _check_features(dataset, minute, dataset.features[dataset.ends[position]], known)
        scale = scale_of(dataset.features[dataset.ends[position], VOLATILITY_30M])
        for given in (dataset.returns[position], dataset.scaled[position] * scale):
            _check_labels(dataset, minute, given, open_time, np.asarray(candles["close"]), last)
    return len(chosen)


def _check_features(dataset: Dataset, minute: int, given: np.ndarray, known: dict[str, np.ndarray]) -> None:
    _, rows = compute_features(known)
    if not len(rows):
        raise LookAhead(_describe(dataset, minute, "features", "its 150 candles have a gap"), _HINT)
    for name, value, expected in zip(FEATURES, given, rows[-1], strict=True):
        if not np.isclose(value, expected, rtol=RELATIVE, atol=ABSOLUTE):
            reason = f"the candles up to that minute give {expected:.10g}"
            raise LookAhead(_describe(dataset, minute, f"{name} {value:.10g}", reason), _HINT)


def _check_labels(
    dataset: Dataset, minute: int, given: np.ndarray, open_time: np.ndarray, close: np.ndarray, last: int
) -> None:
    """Check ln(close[t + h] / close[t]). close[t] is a feature too."""
    for horizon, value in zip(HORIZONS, given, strict=True):
        target = int(np.searchsorted(open_time, minute + horizon * MINUTE_SECONDS))
        if target >= len(open_time) or open_time[target] != minute + horizon * MINUTE_SECONDS:
            raise LookAhead(_describe(dataset, minute, f"a label at {horizon} min", "its candle is missing"), _HINT)
        expected = float(np.log(close[target] / close[last]))
        if not np.isclose(value, expected, rtol=RELATIVE, atol=ABSOLUTE):
            row_value = f"a return of {value:.10g} at {horizon} min"
            raise LookAhead(_describe(dataset, minute, row_value, f"the closes give {expected:.10g}"), _HINT)


_HINT = (
    "A row may depend only on the 150 candles up to its own minute. Upgrade the database's functions (alembic upgrade "
    "head), and compare features_between with trainer/features.py. If candles were corrected during the read, run the "
    "command again."
)


def _describe(dataset: Dataset, minute: int, given: str, reason: str) -> str:
    when = describe_time(1_000_000 * minute)
    return f"look-ahead: the row of {plain(dataset.symbol)} at {when} has {given}, but {reason}"


def _choose_sample(dataset: Dataset, sample: int, seed: int) -> np.ndarray:
    """Positions into ``dataset.ends``, ascending: a sample without replacement, or all if there are fewer."""
    count = len(dataset.ends)
    return np.sort(np.random.default_rng(seed).choice(count, size=min(sample, count), replace=False))
