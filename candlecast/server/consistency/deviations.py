"""Compares stored predictions with recomputed ones."""

from dataclasses import dataclass

import numpy as np

from candlecast.core.feature_names import VOLATILITY_30M
from candlecast.core.forecast import Ensemble
from candlecast.core.forecast_rows import forecast_rows
from candlecast.core.returns import scale_of
from candlecast.core.windows import HORIZONS
from candlecast.server.session import Session

MEMBERS = ("mamba_close", "lgbm_close")
RETURNS = ("predicted_close", *MEMBERS)
PRICES = ("reference_close", "predicted_price", "lower_price", "upper_price")
#: The compared columns. Not confidence, which magnifies rounding differences where both model outputs are near 0, and
#: not the columns that a setting or a threshold derives from the others.
COMPARED = (*RETURNS, *PRICES, "probability_up")

_PREDICTIONS = f"""
select extract(epoch from candle_time)::float8 as time, horizon, {", ".join(COMPARED)}
from public.predictions
where symbol = $1 and ensemble_id = $2
    and candle_time = any (array(select to_timestamp(time) from unnest($3) as sampled (time)))"""


@dataclass(frozen=True)
class Deviations:
    """The differences between stored and recomputed values of n minutes, times (n,) ascending.

    apart (n, 5, columns): in scaled returns or probability, 0 where no row is stored. stored (n, 5): whether one is.
    """

    times: np.ndarray
    apart: np.ndarray
    stored: np.ndarray

    def largest(self, names: tuple[str, ...] = COMPARED) -> np.ndarray:
        """(n,): the largest difference of each minute in these columns."""
        return self.apart[..., [COMPARED.index(name) for name in names]].max(axis=(1, 2), initial=0.0)


def compare_stored(
    session: Session, ensemble: Ensemble, symbol: str, times: np.ndarray, windows: np.ndarray, *, weighted: bool
) -> Deviations:
    """Compare the stored predictions of these minutes with forecasts from raw windows (n, 60, features).

    An ensemble without its own weight (not ``weighted``) used the setting mamba_weight, which may have changed since.
    Then every predicted_close between both models is accepted.
    """
    if not len(times):
        return Deviations(times, np.zeros((0, len(HORIZONS), len(COMPARED))), np.zeros((0, len(HORIZONS)), dtype=bool))
    there, stored = _load_stored(session, ensemble.id, symbol, times)
    rows = forecast_rows(ensemble, symbol, times, windows, min_confidence=0.0)
    now = np.array([[getattr(row, name) for name in COMPARED] for row in rows], dtype=np.float64)
    now = now.reshape(stored.shape)
    if not weighted:
        _allow_any_weight(stored, now)
    scale = scale_of(windows[:, -1, VOLATILITY_30M])
    return Deviations(times, np.where(there[..., np.newaxis], _measure(stored, now, scale), 0.0), there)


def _load_stored(
    session: Session, ensemble_id: int | None, symbol: str, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Whether each horizon of each minute is stored, (n, 5), and its columns, (n, 5, columns), NaN for null."""
    there = np.zeros((len(times), len(HORIZONS)), dtype=bool)
    stored = np.full((*there.shape, len(COMPARED)), np.nan)
    place = {time: number for number, time in enumerate(times.tolist())}
    for row in session.rows(_PREDICTIONS, ["text", "bigint", "float8[]"], [symbol, ensemble_id, times.tolist()]):
        position = place[row["time"]], HORIZONS.index(row["horizon"])
        there[position] = True
        stored[position] = [np.nan if row[name] is None else row[name] for name in COMPARED]
    return there, stored


def _allow_any_weight(stored: np.ndarray, now: np.ndarray) -> None:
    """Move computed values to the stored ones, as far as a weight from 0 to 1 can."""
    column = {name: number for number, name in enumerate(COMPARED)}
    members = now[..., [column[name] for name in MEMBERS]]
    given = stored[..., column["predicted_close"]]
    given = np.fmin(np.fmax(given, members.min(axis=-1)), members.max(axis=-1))
    now[..., column["predicted_close"]] = given
    now[..., column["predicted_price"]] = now[..., column["reference_close"]] * np.exp(given)


def _measure(stored: np.ndarray, now: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(n, 5, columns): differences of returns and of log prices, divided by the scale (n, 5), and of probabilities.

    0 where both are null, infinite where one is null or not a number.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(stored - now)
        logs = np.abs(np.log(stored / now))
    column = np.array(COMPARED)
    apart = np.where(np.isin(column, PRICES), logs, apart)
    apart = np.where(column == "probability_up", apart, apart / scale[..., np.newaxis])
    apart = np.where(np.isnan(stored) & np.isnan(now), 0.0, apart)
    return np.where(np.isnan(apart), np.inf, apart)
