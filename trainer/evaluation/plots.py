"""A walk-forward evaluation as four PNG files: accuracy by fold, accuracy by coverage, reliability, returns.

They read only the document of ``candlecast.trainer.evaluation.document``, and need no display.
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

#: Okabe & Ito's colors, which color-blind readers can distinguish, and a marker for each.
STYLE = {
    ENSEMBLE: ("#000000", "o"),
    LIGHTGBM: ("#0072B2", "s"),
    MAMBA: ("#D55E00", "^"),
    LOGISTIC: ("#009E73", "D"),
    LAST_SIGN: ("#999999", "v"),
}
HORIZON_COLORS = dict(zip(COLUMNS, ("#56B4E9", "#0072B2", "#009E73", "#E69F00", "#D55E00", "#000000"), strict=True))
SETTINGS: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "figure.titlesize": 13.5,
    "legend.fontsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.07,
}
SIZE, DPI = (10.0, 6.6), 120
COLUMNS_OF_PANELS = 3
GRAY = "#666666"


def write_plots(document: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the plots of a document and return their files. Without an ensemble only accuracy by fold is drawn."""
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
            figure.savefig(path, pil_kwargs={"optimize": True})
            paths.append(path)
    return paths


def _accuracy_by_fold(figure: Figure, document: dict[str, Any]) -> None:
    names = [name for name in STYLE if name in document["forecasts"]]
    folds = document["folds"]
    titles = [f"{fold['fold']}\n{_day(fold['test']['from'])}\nto {_day(fold['test']['to'])}" for fold in folds]
    place = np.arange(len(folds), dtype=np.float64)
    for key, axes in _panels(figure):
        axes.axhline(50, color=GRAY, linewidth=1, linestyle="--", label="50 %")
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
    title = "direction accuracy by fold, with 95 % intervals"
    _label(figure, document, title, "fold and its test days", "direction accuracy, %")


def _accuracy_by_coverage(figure: Figure, document: dict[str, Any]) -> None:
    shares = [round(100 * share) for share in COVERAGES]
    names = [name for name in STYLE if name in document["forecasts"] and name != LAST_SIGN]
    for key, axes in _panels(figure):
        axes.axhline(50, color=GRAY, linewidth=1, linestyle="--", label="50 %")
        for name in reversed(names):
            color, marker = STYLE[name]
            accuracy = document["forecasts"][name][key]["accuracy_at_coverage"]
            value, error = _with_errors([accuracy[str(share)] for share in shares])
            width = 2.0 if name == ENSEMBLE else 1.3
            axes.plot(shares, value, marker=marker, color=color, markersize=5, linewidth=width, label=name)
            if name == ENSEMBLE:
                axes.fill_between(
                    shares,
                    value - error[0],
                    value + error[1],
                    color=color,
                    alpha=0.13,
                    linewidth=0,
                    label="95 % interval of the ensemble",
                )
        axes.set_xscale("log")
        axes.set_xlim(110, 4.5)
        axes.set_xticks(shares, [str(share) for share in shares])
        axes.xaxis.set_minor_locator(NullLocator())
    title = "direction accuracy of the most confident forecasts, by coverage"
    _label(figure, document, title, "coverage, % (most confident)", "direction accuracy, %")


def _reliability(figure: Figure, document: dict[str, Any]) -> None:
    every = document["forecasts"][ENSEMBLE]
    forecasts = [100 * part["probability"] for one in every.values() for part in one["reliability"]]
    low, high = min([*forecasts, 49]) - 0.5, max([*forecasts, 51]) + 0.5
    for key, axes in _panels(figure):
        bins, error = every[key]["reliability"], every[key]["calibration_error"]
        axes.plot([low, high], [low, high], color=GRAY, linewidth=1, linestyle="--", label="perfect calibration")
        value, errors = _with_errors([part["rose"] for part in bins])
        forecast = [100 * part["probability"] for part in bins]
        axes.errorbar(
            forecast,
            value,
            errors,
            fmt="o",
            color=STYLE[LIGHTGBM][0],
            markersize=5,
            linewidth=1.2,
            capsize=2,
            label="forecasts: ten bins of equal size, with 95 % intervals",
        )
        perfect = error["perfect_calibration"]
        axes.text(
            0.03,
            0.98,
            f"calibration error: {100 * error['value']:.2f} %\n"
            f"if perfect: {100 * perfect['low']:.2f} to {100 * perfect['high']:.2f} %",
            transform=axes.transAxes,
            va="top",
            fontsize=10,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
        )
        axes.set_xlim(low, high)
    title = "reliability of the ensemble's probabilities"
    _label(figure, document, title, "forecast probability of a rise, %", "observed share of rises, %")


def _returns(figure: Figure, document: dict[str, Any]) -> None:
    every = document["forecasts"][ENSEMBLE]
    over_time, by_cost = figure.subplots(1, 2)
    for axes in (over_time, by_cost):
        axes.axhline(0, color=GRAY, linewidth=1, linestyle="--")
    sides = np.linspace(0, max(SIDES), 101)
    for key, color in HORIZON_COLORS.items():
        returns = every[key]["returns"]
        daily = {name: np.asarray(values) for name, values in returns["daily"].items()}
        days = [datetime.fromtimestamp(day, UTC) for day in daily["day"]] + [
            datetime.fromtimestamp(daily["day"][-1] + 86_400, UTC)
        ]
        width = 2.0 if key == ALL else 1.2
        gross = np.concatenate([[0.0], np.cumsum(daily["gross"])])
        title = "all horizons" if key == ALL else f"{key} min"
        over_time.plot(days, 100 * gross, color=color, linewidth=width, label=title)
        net = 100 * (returns["gross_per_day"]["value"] - sides * BASIS_POINT * returns["turnover_per_day"])
        even = returns["break_even_bps"]
        named = title if even is None else f"{title}: break-even {even:.2f} bps"
        by_cost.plot(sides, net, color=color, linewidth=width, label=named)
    over_time.set_title("Before costs", loc="left")
    over_time.set_ylabel("cumulative gross return, % (log return)")
    over_time.xaxis.set_major_locator(AutoDateLocator())
    over_time.xaxis.set_major_formatter(ConciseDateFormatter(over_time.xaxis.get_major_locator()))
    over_time.set_xlabel("day (UTC)")
    over_time.legend(loc="upper left")
    by_cost.set_title("After costs", loc="left")
    by_cost.set_yscale("symlog", linthresh=1)
    by_cost.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    by_cost.set_xticks(list(SIDES), [str(side) for side in SIDES])
    by_cost.set_ylabel("mean net return per day, % (log scale outside ±1 %)")
    by_cost.set_xlabel("cost per side, basis points")
    by_cost.legend(loc="upper right", bbox_to_anchor=(1.0, 0.73))
    _title(figure, document, "returns of following the ensemble's directions")


def _panels(figure: Figure) -> Iterator[tuple[str, Axes]]:
    """One panel for each horizon and one for all horizons."""
    grid = figure.subplots(len(COLUMNS) // COLUMNS_OF_PANELS, COLUMNS_OF_PANELS, sharex=True, sharey=True)
    for key, axes in zip(COLUMNS, grid.ravel(), strict=True):
        axes.set_title("all horizons" if key == ALL else f"{key} min", loc="left")
        yield key, axes


def _label(figure: Figure, document: dict[str, Any], title: str, x: str, y: str) -> None:
    _title(figure, document, title)
    for number, axes in enumerate(figure.axes):
        axes.set_xlabel(x if number >= len(figure.axes) - COLUMNS_OF_PANELS else "")
        axes.set_ylabel(y if number % COLUMNS_OF_PANELS == 0 else "")
    handles, labels = figure.axes[-1].get_legend_handles_labels()
    rank = {label: list(STYLE).index(label) if label in STYLE else len(STYLE) for label in labels}
    order = sorted(range(len(labels)), key=lambda i: rank[labels[i]])
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside lower center",
        ncols=len(labels),
        columnspacing=1.2,
    )


def _title(figure: Figure, document: dict[str, Any], title: str) -> None:
    ends = [_day(document["rows"][end]) for end in ("from", "to")]
    year = datetime.fromisoformat(document["rows"]["to"]).year
    figure.suptitle(f"{document['symbol']}, {ends[0]} to {ends[1]} {year}: {title}", x=0.01, ha="left")


def _day(time: str) -> str:
    """An ISO time as 5 Jan."""
    day = datetime.fromisoformat(time)
    return f"{day.day} {day:%b}"


def _with_errors(estimates: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,) and distances to both ends (2, n), in percent; NaN for unknown values."""
    numbers = np.array(
        [[np.nan if one[name] is None else one[name] for name in ("value", "low", "high")] for one in estimates],
        dtype=np.float64,
    )
    value, low, high = 100 * numbers.T
    return value, np.stack([value - low, high - value])
