"""A card as markdown: aligned tables, numbers with their intervals, and a note for each fact that is not recorded."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from candlecast.core.distribution import FIELD, STEPS
from candlecast.core.text import plain
from candlecast.core.windows import HORIZONS

NAMES = {"lgbm": "LightGBM", "mamba": "Mamba", "ensemble": "ensemble"}
PARTS = ("training", "validation", "test")
#: Entries of ``params`` that are a training log, not a parameter.
_TRAINING_LOG = ("validation_losses",)


@dataclass(frozen=True)
class Joined:
    """An ensemble: weight, calibration, number of test vectors and, from the database, id and state."""

    weight: float | None
    calibration: dict[str, Any] | None
    vectors: int | None
    state: str
    facts: dict[str, Any] = field(default_factory=dict)  #: from its folder; empty if it was read from the database


@dataclass(frozen=True)
class Card:
    """One training: the facts of its versions by type, and the ensembles of these versions."""

    title: str
    source: str
    versions: dict[str, dict[str, Any]]
    ensembles: list[Joined] = field(default_factory=list)


def render(card: Card) -> str:
    """Markdown of one card, sections separated by blank lines."""
    facts = next(iter(card.versions.values()), None) or (card.ensembles[0].facts if card.ensembles else {})
    sections = [
        f"# {plain(card.title)}\n\n{_introduction(card, facts)}",
        _section("Data", _data(facts)),
        _section("Measured on the test part", _measured(facts.get("metrics") or {})),
        _section("Probabilities and intervals on the test part", _describe_calibrated(facts.get("metrics") or {})),
        *(_section(_ensemble_title(joined), _ensemble(joined, facts)) for joined in card.ensembles),
        *(_section(f"Parameters of {NAMES[key]}", _parameters(own)) for key, own in card.versions.items()),
        _section("Features", _features(facts, card.versions)),
        _section("Test vectors", _test_vectors(card)),
        _section("Known limits", _limits(facts)),
        _section("Made with", _made_with(facts, card.versions)),
    ]
    return "\n\n".join(section for section in sections if section)


def _introduction(card: Card, facts: Mapping[str, Any]) -> str:
    return (
        f"Forecasts the direction of {plain(facts.get('symbol'))} {HORIZONS[0]} to {HORIZONS[-1]} minutes ahead, from "
        f"60 minutes of {len(facts.get('features') or [])} features. "
        f"Trained at {_time(facts.get('trained_at'))}. Read from {plain(card.source)}."
    )


def _data(facts: Mapping[str, Any]) -> str:
    parts = (facts.get("metrics") or {}).get("parts") or {}
    rows = [
        (name, f"{parts[name]['rows']:,}", _time(parts[name]["from"]), _time(parts[name]["to"]))
        for name in PARTS
        if name in parts
    ]
    table = _table(("part", "minutes", "first candle", "last candle"), rows, "lrll") if rows else ""
    learned = (
        f"Weights, early stopping and calibration used {_time(facts.get('training_from'))} to "
        f"{_time(facts.get('training_to'))}. Nothing was refitted on the test part."
    )
    return "\n\n".join(filter(None, (table, learned)))


def _measured(metrics: Mapping[str, Any]) -> str:
    baselines = metrics.get("baselines") or {}
    rows: list[tuple[str, ...]] = []
    for horizon in map(str, HORIZONS):
        for key in ("ensemble", "lgbm", "mamba"):
            if one := (metrics.get(key) or {}).get(horizon):
                accuracy = f"{100 * one['accuracy']:.2f} [{100 * one['low']:.2f}, {100 * one['high']:.2f}]"
                tenth = f"{100 * one['confident_accuracy']:.1f}"
                rows.append((f"{horizon} min", NAMES[key], f"{one['rows']:,}", accuracy, tenth, _bp(one["rmse"])))
        if base := baselines.get(horizon):
            up = base["always_up"]
            rows.append((f"{horizon} min", "majority class", "", f"{100 * max(up, 1 - up):.2f}", "", ""))
            rows.append((f"{horizon} min", "last sign", "", f"{100 * base['last_sign']:.2f}", "", ""))
            rows.append((f"{horizon} min", "no change", "", "", "", _bp(base["rmse_of_zero"])))
    if not rows:
        return ""
    heading = ("horizon", "forecast", "minutes", "direction accuracy, %", "top tenth", "rmse, bp")
    note = (
        "In brackets: 95 % intervals (Newey-West). Top tenth: accuracy of the 10 % strongest forecasts. "
        "Rmse is of log returns."
    )
    return f"{_table(heading, rows, 'llrlrr')}\n\n{note}"


def _describe_calibrated(metrics: Mapping[str, Any]) -> str:
    """The ensemble's probabilities and intervals on the test part."""
    rows = []
    for horizon, one in (metrics.get("calibrated") or {}).items():
        low, high = (f"{100 * end:.2f}" for end in one["perfect_calibration"])
        held = one["interval_coverage"]
        rows.append(
            (
                f"{horizon} min",
                f"{one['brier']:.4f}",
                f"{100 * one['calibration_error']:.2f}",
                f"{low} to {high}",
                f"{100 * held['value']:.1f} [{100 * held['low']:.1f}, {100 * held['high']:.1f}]",
            )
        )
    heading = ("horizon", "Brier", "calibration error, %", "if perfectly calibrated", "interval coverage, %")
    return _table(heading, rows, "lrrrr") if rows else ""


def _ensemble_title(joined: Joined) -> str:
    return f"Ensemble ({plain(joined.state)})"


def _ensemble(joined: Joined, facts: Mapping[str, Any]) -> str:
    fit = (facts.get("metrics") or {}).get("weight") or (joined.facts.get("params") or {}).get("weight") or {}
    if joined.calibration is None or joined.weight != fit.get("weight"):
        fit = {}  # created by hand with another weight: the fit and the scores above do not apply
    weight = "from ml_settings" if joined.weight is None else f"{joined.weight:.4g}"
    lines = [f"- Mamba's weight: {weight}" + (f" [{fit['low']:.2f}, {fit['high']:.2f}]" if fit else "")]
    if fit:
        lines.append(
            f"- Gain of Mamba over LightGBM alone on validation rows: {1e4 * fit['gain']:.2f} "
            f"[{1e4 * fit['gain_low']:.2f}, {1e4 * fit['gain_high']:.2f}] nats of log loss per 10,000 directions"
        )
    calibration = joined.calibration
    if calibration is None:
        return "\n".join([*lines, "- Not calibrated: no probabilities, no prediction intervals"])
    probability, interval = calibration["probability"], calibration["interval"]
    lines.append(
        f"- Calibration on {calibration['rows']:,} validation minutes, {_time(calibration['from'])} to "
        f"{_time(calibration['to'])}: {_probability(probability)}"
    )
    widths = ", ".join(f"{width:.3f}" for width in interval["half_width"])
    lines.append(
        f"- Prediction interval, {100 * interval['level']:g} %: plus or minus {widths} scaled returns "
        f"at {_horizons()} minutes"
    )
    return "\n".join(lines)


def _probability(probability: Mapping[str, Any]) -> str:
    slopes = ", ".join(f"{slope:.3g}" for slope in probability["slope"])
    intercepts = ", ".join(f"{intercept:.3g}" for intercept in probability["intercept"])
    return f"Platt, slopes {slopes} and intercepts {intercepts} at {_horizons()} minutes"


def _parameters(facts: Mapping[str, Any]) -> str:
    params = facts.get("params") or {}
    pairs = {key: value for key, value in _flat(params) if key not in _TRAINING_LOG}
    return "\n".join(f"- {plain(key)}: {plain(value)}" for key, value in pairs.items())


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else value


def _features(facts: Mapping[str, Any], versions: Mapping[str, Mapping[str, Any]]) -> str:
    names = [plain(name) for name in facts.get("features") or []]
    parts = [textwrap.fill(", ".join(names), 100), f"Feature hash: {plain(facts.get('feature_hash'))}"]
    if versions:
        lines = [f"- {NAMES[key]}: {_distribution(own.get(FIELD))}" for key, own in versions.items()]
        parts.append("Reference for drift:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _distribution(seen: Mapping[str, Any] | None) -> str:
    if seen is None:
        return "none, so drift is not measured: this version was trained before distributions were recorded"
    return f"quantiles 1/{STEPS} apart of {seen['rows']:,} training minutes, and of {seen['days']} single training days"


def _test_vectors(card: Card) -> str:
    lines = []
    for key, own in card.versions.items():
        count = len((own.get("golden") or {}).get("windows") or [])
        lines.append(f"- {NAMES[key]}: {count} raw windows with the expected scaled returns")
    lines += [
        f"- Ensemble ({plain(one.state)}): {one.vectors} raw windows with expected returns, probabilities and intervals"
        for one in card.ensembles
        if one.vectors
    ]
    note = "The database runs them before it serves a version, and rejects a version that differs by more than 1e-5."
    return "\n".join([*lines, "", note])


def _limits(facts: Mapping[str, Any]) -> str:
    limits = facts.get("limits") or ["not recorded: this version was trained before limits were recorded"]
    return "\n".join(f"- {plain(limit)}" for limit in limits)


def _made_with(facts: Mapping[str, Any], versions: Mapping[str, Mapping[str, Any]]) -> str:
    libraries = facts.get("libraries") or {}
    lines = [f"- libraries: {', '.join(f'{plain(name)} {plain(one)}' for name, one in sorted(libraries.items()))}"]
    lines.append(f"- commit: {plain(facts.get('git_commit') or 'not recorded: training did not run in a git clone')}")
    for key, own in versions.items():
        files = sorted((own.get("files") or {}).items())
        lines += [
            f"- {key}/{plain(own.get('version'))}/{plain(name)}: sha256 {plain(digest)}" for name, digest in files
        ]
    return "\n".join(lines)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> str:
    """A markdown table with aligned columns. ``sides``: l or r for each column."""
    lines = [tuple(map(plain, line)) for line in (heading, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]

    def row(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(cells, widths, sides, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = ("-" * (width - 1) + (":" if side == "r" else "-") for width, side in zip(widths, sides, strict=True))
    return "\n".join([row(lines[0]), f"| {' | '.join(rule)} |", *map(row, lines[1:])])


def _time(text: object) -> str:
    """An ISO time in UTC as 2026-11-22 17:03 UTC."""
    return f"{plain(text)[:16].replace('T', ' ')} UTC" if text else "not recorded"


def _bp(log_return: float) -> str:
    return f"{1e4 * log_return:.3f}"


def _horizons() -> str:
    return ", ".join(map(str, HORIZONS))
