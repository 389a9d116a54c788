"""A walk-forward evaluation as four PNG files: accuracy by fold, by coverage, reliability, returns against cost.

They read the document of ``candlecast.trainer.evaluation.document`` alone, and need no display.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from candlecast.trainer.evaluation.costs import BASIS_POINT, SIDES
from candlecast.trainer.evaluation.document import ALL, COLUMNS
from candlecast.trainer.evaluation.metrics import COVERAGES
from candlecast.trainer.evaluation.walk_forward import ENSEMBLE, LAST_SIGN, LIGHTGBM, LOGISTIC, MAMBA

#: Okabe & Ito's colors, which color-blind readers tell apart, and a marker each.
STYLE = {
    ENSEMBLE: ("#000000", "o"),
    LIGHTGBM: ("#0072B2", "s"),
    MAMBA: ("#D55E00", "^"),
    LOGISTIC: ("#009E73", "D"),
    LAST_SIGN: ("#999999", "v"),
}
HORIZON_COLORS = dict(zip(COLUMNS, ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#000000"), strict=True))
SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.07,
}
SIZE, DPI = (11.0, 6.6), 120
COLUMNS_OF_PANELS = 3


def write_plots(document: dict[str, Any], folder: Path) -> list[Path]:
    """Draw what the document holds; returns the files. Without an ensemble only accuracy by fold is drawn."""
    plots = {"accuracy_by_fold": _accuracy_by_fold}
    if ENSEMBLE in document["forecasts"]:
        plots |= {"accuracy_by_coverage": _accuracy_by_coverage, "reliability": _reliability, "returns": _returns}
    paths = []
    for name, draw in plots.items():
        with mpl.rc_context(SETTINGS):
            figure = Figure(figsize=SIZE, dpi=DPI)
            FigureCanvasAgg(figure)
            draw(figure, document)
            path = folder / f"{name}.png"
            figure.savefig(path)
            paths.append(path)
    return paths


def _accuracy_by_fold(figure: Figure, document: dict[str, Any]) -> None:
    names = [name for name in STYLE if name in document["forecasts"]]
    folds = document["folds"]
    titles = [f"{fold['fold']}\n{_day(fold['test']['from'])}\nto {_day(fold['test']['to'])}" for fold in folds]
    place = np.arange(len(folds), dtype=np.float64)
    for key, axes in _panels(figure, share_y=True):
        axes.axhline(50, color="#666666", linewidth=0.8, linestyle="--")
        for number, name in enumerate(names):
            color, marker = STYLE[name]
            shift = 0.13 * (number - (len(names) - 1) / 2)
            value, error = _with_errors([fold["accuracy"][name][key] for fold in folds])
            axes.errorbar(
                place + shift, value, error, fmt=marker, color=color, markersize=4, linewidth=1, capsize=2, label=name
            )
        axes.set_xticks(place, titles)
        axes.set_xlim(-0.5, len(folds) - 0.5)
        axes.xaxis.grid(visible=False)
    _label(figure, document, "Direction accuracy by fold, with 95 % intervals", "fold and its test days", "accuracy, %")


def _accuracy_by_coverage(figure: Figure, document: dict[str, Any]) -> None:
    shares = [round(100 * share) for share in COVERAGES]
    names = [name for name in STYLE if name in document["forecasts"] and name != LAST_SIGN]
    for key, axes in _panels(figure, share_y=True):
        axes.axhline(50, color="#666666", linewidth=0.8, linestyle="--")
        for name in reversed(names):
            color, marker = STYLE[name]
            said = document["forecasts"][name][key]["accuracy_at_coverage"]
            value, error = _with_errors([said[str(share)] for share in shares])
            axes.plot(shares, value, marker=marker, color=color, markersize=4, linewidth=1.2, label=name)
            if name == ENSEMBLE:
                axes.fill_between(shares, value - error[0], value + error[1], color=color, alpha=0.12, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlim(110, 4.5)
        axes.set_xticks(shares, [str(share) for share in shares])
        axes.xaxis.set_minor_locator(NullLocator())
    title = "Direction accuracy over the most confident forecasts; the band is the ensemble's 95 % interval"
    _label(figure, document, title, "coverage: most confident share, %", "accuracy, %")


def _reliability(figure: Figure, document: dict[str, Any]) -> None:
    every = document["forecasts"][ENSEMBLE]
    ends = [100 * part["probability"] for one in every.values() for part in one["reliability"]]
    low, high = min([*ends, 49]) - 0.5, max([*ends, 51]) + 0.5
    for key, axes in _panels(figure, share_y=True):
        bins, error = every[key]["reliability"], every[key]["calibration_error"]
        axes.plot([low, high], [low, high], color="#666666", linewidth=0.8, linestyle="--", label="perfect")
        value, errors = _with_errors([part["rose"] for part in bins])
        said = [100 * part["probability"] for part in bins]
        axes.errorbar(said, value, errors, fmt="o", color="#000000", markersize=4, linewidth=1, capsize=2, label="bins")
        perfect = error["perfect_calibration"]
        axes.text(
            0.03,
            0.97,
            f"error {100 * error['value']:.2f} %\nperfect: {100 * perfect['low']:.2f} to {100 * perfect['high']:.2f} %",
            transform=axes.transAxes,
            va="top",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
        )
        axes.set_xlim(low, high)
    title = "Reliability of the ensemble's probabilities: ten bins of equally many rows, with 95 % intervals"
    _label(figure, document, title, "mean probability of a rise, %", "share of rises, %")


def _returns(figure: Figure, document: dict[str, Any]) -> None:
    every = document["forecasts"][ENSEMBLE]
    over_time, by_cost = figure.subplots(1, 2)
    for axes in (over_time, by_cost):
        axes.axhline(0, color="#666666", linewidth=0.8, linestyle="--")
    sides = np.linspace(0, max(SIDES), 101)
    for key, color in HORIZON_COLORS.items():
        returns = every[key]["returns"]
        daily = {name: np.asarray(values) for name, values in returns["daily"].items()}
        days = [datetime.fromtimestamp(day, UTC) for day in daily["day"]] + [
            datetime.fromtimestamp(daily["day"][-1] + 86_400, UTC)
        ]
        width = 2.0 if key == ALL else 1.2
        gross = np.concatenate([[0.0], np.cumsum(daily["gross"])])
        title = "all horizons, a fifth each" if key == ALL else f"{key} min"
        over_time.plot(days, 100 * gross, color=color, linewidth=width, label=title)
        net = 100 * (returns["gross_per_day"]["value"] - sides * BASIS_POINT * returns["turnover_per_day"])
        even = returns["break_even_bps"]
        named = title if even is None else f"{title}: breaks even at {even:.2f} bps"
        by_cost.plot(sides, net, color=color, linewidth=width, label=named)
    over_time.set_title("Before costs, over time", loc="left")
    over_time.set_ylabel("cumulative gross return, % (log)")
    over_time.xaxis.set_major_locator(AutoDateLocator())
    over_time.xaxis.set_major_formatter(ConciseDateFormatter(over_time.xaxis.get_major_locator()))
    over_time.set_xlabel("day, UTC")
    over_time.legend(loc="upper left")
    by_cost.set_title("After costs", loc="left")
    by_cost.set_yscale("symlog", linthresh=1)
    by_cost.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    by_cost.set_xticks(list(SIDES), [str(side) for side in SIDES])
    by_cost.set_ylabel("mean net return a day, % (log return; axis linear within 1 %)")
    by_cost.set_xlabel("cost of one side, basis points of what is traded")
    by_cost.legend(loc="upper right")
    _title(figure, document, "What following the ensemble's directions would have returned")


def _panels(figure: Figure, *, share_y: bool) -> Iterator[tuple[str, Axes]]:
    """One panel for each horizon and one for all."""
    grid = figure.subplots(len(COLUMNS) // COLUMNS_OF_PANELS, COLUMNS_OF_PANELS, sharex=True, sharey=share_y)
    for key, axes in zip(COLUMNS, grid.ravel(), strict=True):
        axes.set_title("all horizons" if key == ALL else f"{key} min", loc="left")
        yield key, axes


def _label(figure: Figure, document: dict[str, Any], title: str, x: str, y: str) -> None:
    _title(figure, document, title)
    for number, axes in enumerate(figure.axes):
        axes.set_xlabel(x if number >= len(figure.axes) - COLUMNS_OF_PANELS else "")
        axes.set_ylabel(y if number % COLUMNS_OF_PANELS == 0 else "")
    handles, labels = figure.axes[-1].get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: list(STYLE).index(labels[i]) if labels[i] in STYLE else i)
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside lower center",
        ncols=len(labels),
        fontsize=8,
    )


def _title(figure: Figure, document: dict[str, Any], title: str) -> None:
    figure.suptitle(f"{document['symbol']}: {title}", x=0.01, ha="left", fontsize=11)


def _day(time: str) -> str:
    """An ISO time as 5 Jan."""
    day = datetime.fromisoformat(time)
    return f"{day.day} {day:%b}"


def _with_errors(estimates: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,) and distances to both ends (2, n), in percent; NaN where there are none."""
    numbers = np.array(
        [[np.nan if one[name] is None else one[name] for name in ("value", "low", "high")] for one in estimates],
        dtype=np.float64,
    )
    value, low, high = 100 * numbers.T
    return value, np.stack([value - low, high - value])
