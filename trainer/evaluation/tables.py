"""A walk-forward evaluation as terminal tables, at most 100 columns wide: shares in percent, ± 95 % intervals.

All figures come from the document of `document.py`. docs/explanation/evaluation.md explains each column.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich import box
from rich.table import Table

from candlecast.client.display import cell
from candlecast.trainer.data.dataset import Dataset
from candlecast.trainer.data.splits import Split
from candlecast.trainer.evaluation.costs import SIDES
from candlecast.trainer.evaluation.document import ALL, COLUMNS
from candlecast.trainer.evaluation.metrics import COVERAGES
from candlecast.trainer.evaluation.walk_forward import ENSEMBLE


def folds_table(dataset: Dataset, splits: Sequence[Split]) -> Table:
    """The parts of each fold: first and last candle_time of each part, and the number of test rows."""
    table = _table("Folds, UTC", ("fold", *asdict(splits[0])), ("rows",))
    for number, split in enumerate(splits, start=1):
        parts = []
        for rows in asdict(split).values():
            ends = (datetime.fromtimestamp(dataset.candle_time[rows[end]], UTC) for end in (0, -1))
            parts.append(" to ".join(f"{end:%m-%d %H:%M}" for end in ends))
        table.add_row(str(number), *parts, f"{len(split.test):,}")
    return table


def tables(document: dict[str, Any]) -> Iterator[Table]:
    """All tables, in reading order."""
    yield _every_forecast(document)
    if ENSEMBLE in document["forecasts"]:
        yield _ensemble(document)
        yield _coverage(document)
    yield _returns(document)
    yield _pairs(document)


def verdict(document: dict[str, Any]) -> Iterator[Table | str]:
    """Whether the ensemble is better than each rival, whether it is calibrated, and its interval coverage."""
    if not document["verdicts"]:
        return
    keys = ("1", ALL)
    table = _table("Ensemble minus each rival, percentage points of accuracy [95 % interval]", ("rival",), ())
    for key in keys:
        table.add_column(_horizon(key), justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
    for one in document["verdicts"]["against"]:
        cells = ((_with_ends(one["horizons"][key]["accuracy"], "+"), one["says"][key]) for key in keys)
        table.add_row(cell(one["second"]), *(part for pair in cells for part in pair))
    yield table
    every = document["forecasts"][ENSEMBLE][ALL]
    error = every["calibration_error"]
    position = "within" if error["holds"] else "above"
    yield (
        f"Calibration error over all rows: {_number(error['value'])} %, {position} the range of perfect calibration "
        f"({_range(error['perfect_calibration'])} %)."
    )
    yield f"The 90 % intervals contain {_with_ends(every['interval_coverage'])} % of the outcomes."


def make_shuffled_table(document: dict[str, Any]) -> Table:
    """Mean AUC over the trainings on shuffled labels, with its corrected interval."""
    table = _table("AUC on real labels after training on shuffled labels", ("horizon",), document["auc"])
    for key in COLUMNS:
        table.add_row(_horizon(key), *(_percent(one[key]) for one in document["auc"].values()), end_section=key == "5")
    return table


def _with_ends(estimate: dict[str, Any], sign: str = "") -> str:
    """`52.10 [51.68, 52.52]`, in percent."""
    ends = "" if estimate["low"] is None else f" [{100 * estimate['low']:.2f}, {100 * estimate['high']:.2f}]"
    return f"{100 * estimate['value']:{sign}.2f}{ends}"


def _percent(estimate: dict[str, Any], sign: str = "") -> str:
    """`52.10 ±0.42`, in percent: the intervals are symmetric. `-` if there is no such figure."""
    if estimate["value"] is None:
        return "-"
    half = "" if estimate["low"] is None else f" ±{100 * (estimate['high'] - estimate['value']):.2f}"
    return f"{100 * estimate['value']:{sign}.2f}{half}"


def _every_forecast(document: dict[str, Any]) -> Table:
    figures: dict[str, Callable[[dict[str, Any]], str]] = {
        "accuracy": lambda one: _percent(one["accuracy"]),
        "balanced": lambda one: _percent(one["balanced_accuracy"]),
        "AUC": lambda one: _percent(one["auc"]),
        "IC": lambda one: _number(one["ic"]["value"]),
        "rank IC": lambda one: _percent(one["rank_ic"]),
        "skill": lambda one: _percent(one["brier_skill_over_base_rate"]),
        "ECE": lambda one: _number(one["calibration_error"] and one["calibration_error"]["value"]),
    }
    table = _table("All forecasts on the same rows", ("horizon", "forecast"), figures)
    for key in COLUMNS:
        for number, (name, by_horizon) in enumerate(document["forecasts"].items()):
            last = number == len(document["forecasts"]) - 1
            shown = (figure(by_horizon[key]) for figure in figures.values())
            table.add_row(_horizon(key) if number == 0 else "", cell(name), *shown, end_section=last)
    return table


def _ensemble(document: dict[str, Any]) -> Table:
    figures: dict[str, Callable[[dict[str, Any]], str]] = {
        "Brier": lambda one: f"{one['brier']['value']:.4f}",
        "skill over 50 %": lambda one: _percent(one["brier_skill_over_half"]),
        "ECE": lambda one: _number(one["calibration_error"]["value"]),
        "if perfectly calibrated": lambda one: _range(one["calibration_error"]["perfect_calibration"]),
        "interval coverage": lambda one: _percent(one["interval_coverage"]),
    }
    return _by_horizon(document, "The ensemble's probabilities and 90 % intervals", figures)


def _coverage(document: dict[str, Any]) -> Table:
    figures = {f"{round(100 * share)} %": partial(_accuracy_at, str(round(100 * share))) for share in COVERAGES}
    return _by_horizon(document, "The ensemble's accuracy by coverage, the most confident forecasts first", figures)


def _accuracy_at(coverage: str, one: dict[str, Any]) -> str:
    return _percent(one["accuracy_at_coverage"][coverage])


def _returns(document: dict[str, Any]) -> Table:
    name = ENSEMBLE if ENSEMBLE in document["forecasts"] else next(reversed(document["forecasts"]))
    figures: dict[str, Callable[[dict[str, Any]], str]] = {
        "gross": lambda one: _percent(one["returns"]["gross_per_day"]),
        **{f"net, {side} bps": partial(_net, str(side)) for side in SIDES if side},
        "turnover": lambda one: f"{one['returns']['turnover_per_day']:,.0f} x",
        "break-even": lambda one: _with_unit(one["returns"]["break_even_bps"]),
    }
    return _by_horizon(document, f"Returns of following {name}: percent per day, by cost per side", figures, name)


def _net(side: str, one: dict[str, Any]) -> str:
    return _number(one["returns"]["by_side_bps"][side]["per_day"], 1)


def _pairs(document: dict[str, Any]) -> Table:
    figures: dict[str, Callable[[dict[str, Any]], str]] = {
        "accuracy": lambda one: _percent(one["accuracy"], "+"),
        "McNemar": lambda one: _p(one["mcnemar_p"]),
        "Brier x1e4": lambda one: _number(one["brier"]["value"], 2, factor=1e4),
        "DM": lambda one: _p(one["brier_diebold_mariano_p"]),
        "sq. error x1e4": lambda one: _number(one["squared_error"]["value"], 1, factor=1e4),
        "DM ": lambda one: _p(one["squared_error_diebold_mariano_p"]),
    }
    table = _table("Each forecast minus the previous one: differences and p-values", ("pair", "horizon"), figures)
    for pair in document["comparisons"]:
        for key in ("1", ALL):
            names = f"{pair['first']} - {pair['second']}" if key == "1" else ""
            shown = (figure(pair["horizons"][key]) for figure in figures.values())
            table.add_row(cell(names), _horizon(key), *shown, end_section=key == ALL)
    return table


def _by_horizon(
    document: dict[str, Any], title: str, figures: Mapping[str, Callable[[dict[str, Any]], str]], name: str = ENSEMBLE
) -> Table:
    table = _table(title, ("horizon",), figures)
    for key in COLUMNS:
        table.add_row(
            _horizon(key),
            *(figure(document["forecasts"][name][key]) for figure in figures.values()),
            end_section=key == "5",
        )
    return table


def _table(title: str, keys: Iterable[str], figures: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in keys:
        table.add_column(name, no_wrap=True)
    for name in figures:
        table.add_column(name.strip(), justify="right", no_wrap=True)
    return table


def _horizon(key: str) -> str:
    return ALL if key == ALL else f"{key} min"


def _range(ends: dict[str, float]) -> str:
    return f"{_number(ends['low'])} to {_number(ends['high'])}"


def _number(value: float | None, digits: int = 2, factor: float = 100.0) -> str:
    return "-" if value is None else f"{factor * value:.{digits}f}"


def _with_unit(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} bps"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")
