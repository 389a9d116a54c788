"""The simulation's tables in Markdown, and its plot. Shares are in percent, differences in percentage points."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from candlecast.trainer.evaluation.plots import DPI, GRAY, SETTINGS
from research import ab_year
from research.ab_pairs import Days, Pair
from research.ab_rules import (
    ALONE,
    DAY_INTERVAL,
    GUARDED,
    NEVER,
    POOLED,
    RULES,
    SINCE,
    Fate,
    fate,
    guarded_at,
    rolled_back,
    wilson,
)  # fmt: skip

Simulated = Mapping[Pair, Days]
DISAGREEMENTS = (0.1, 0.3, 0.5)
DIFFERENCES = (0.0, 0.005, 0.01, 0.02)
#: The disagreement of tables that show only one.
USUAL = 0.3
WITHIN = (1, 7, 14, 30, 60)
_NARROWEST = (1_000, 4_000, 16_000)
#: For each rule one of Okabe & Ito's colors, a line style, so that the plot is readable without color, and a width.
_LINES: dict[str, tuple[str, Any, float]] = {
    ALONE: ("#000000", "-", 3.0),
    POOLED: ("#E69F00", "--", 1.6),
    DAY_INTERVAL: ("#009E73", "-.", 2.0),
    SINCE: ("#56B4E9", (0, (1, 1)), 2.0),
    GUARDED: ("#D55E00", "-", 2.0),
}
_WIDTHS = {0.1: ("--", 1.1), 0.3: ("-", 2.2), 0.5: (":", 1.4)}
_BETTER = {0.02: "#0072B2", 0.01: "#009E73", 0.005: "#D55E00"}


def pairs() -> list[Pair]:
    """The pairs in the tables."""
    return [Pair(disagreement, difference) for disagreement in DISAGREEMENTS for difference in DIFFERENCES]


def tables(simulated: Simulated, year_runs: int, seed: int) -> str:
    """Every table, each with its heading."""
    parts = [part(simulated) for part in (_about, _wrongly, _rightly, _by_disagreement, _demotion)]
    return "\n\n".join([*parts, _year(year_runs, seed), _narrowest(simulated)])


def plot(simulated: Simulated, path: Path) -> None:
    """Wrong promotions by rule, and right promotions of the default rule by difference, per day."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(10.0, 6.2), dpi=DPI)
        FigureCanvasAgg(figure)
        equal, better = figure.subplots(1, 2)
        for name, (color, dashes, width) in _LINES.items():
            promoted = _by_day(fate(RULES[name], simulated[Pair(USUAL, 0.0)]))
            promoted[promoted == 0] = np.nan
            equal.plot(_days(promoted), promoted, color=color, linestyle=dashes, linewidth=width, label=name)
        equal.axhline(2.5, color=GRAY, linewidth=1, linestyle=":")
        equal.text(60, 2.65, "2.5 %: guaranteed limit of the sequence", ha="right", va="bottom", fontsize=10)
        equal.set_yscale("log")
        equal.set_ylim(0.03, 130)
        equal.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        equal.set_title("Equal challenger: wrong promotions", loc="left")
        equal.set_ylabel("promoted, % of tests (log scale)")
        for difference, color in _BETTER.items():
            for share, (dashes, width) in _WIDTHS.items():
                by_day = _by_day(fate(RULES[GUARDED], simulated[Pair(share, difference)]))
                better.plot(_days(by_day), by_day, color=color, linestyle=dashes, linewidth=width)
        for difference, color in _BETTER.items():
            label = f"better by {100 * difference:g} point{'' if difference == 0.01 else 's'}"
            better.plot([], [], color=color, linewidth=2, label=label)
        for share, (dashes, width) in _WIDTHS.items():
            label = f"directions differ on {100 * share:.0f} %"
            better.plot([], [], color=GRAY, linestyle=dashes, linewidth=width, label=label)
        better.set_title("Better challenger: default rule", loc="left")
        better.set_ylabel("promoted, % of tests")
        better.set_ylim(0, 101)
        for axes, columns in ((equal, 1), (better, 2)):
            axes.set_xlim(0, 61)
            axes.set_xticks(WITHIN, [str(day) for day in WITHIN])
            axes.set_xlabel("days on test")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=columns, columnspacing=1.0)
        figure.suptitle("Simulated A/B tests: share of promoted challengers, by days on test", x=0.01, ha="left")
        figure.savefig(path, pil_kwargs={"optimize": True})


def _about(simulated: Simulated) -> str:
    runs = len(next(iter(simulated.values())).missed)
    half = 100 * 1.96 * np.sqrt(0.25 / runs)
    low, high = (100 * end for end in wilson(0.01, runs))
    missed = [100 * float(days.missed.mean()) for days in simulated.values()]
    return (
        f"{runs:,} runs of each combination, one evaluation per day. Shares are in percent. By chance, a simulated "
        f"share near 50 is off by at most {half:.1f}, and a share of 1.0 is between {low:.1f} and {high:.1f} (95 %, "
        f"Wilson). The confidence sequence excluded the true difference at some minute of {max(WITHIN)} days in "
        f"{min(missed):.1f} to {max(missed):.1f} % of the runs, depending on the pair; 5 % are allowed."
    )


def _wrongly(simulated: Simulated) -> str:
    rows = []
    for name, rule in RULES.items():
        equal = fate(rule, simulated[Pair(USUAL, 0.0)])
        worse = [fate(rule, simulated[Pair(USUAL, difference)].swapped()) for difference in (0.005, 0.01)]
        rows.append(
            [name, *(_share(equal.promoted_within(days)) for days in WITHIN)]
            + [_share(one.promoted_within(30)) for one in worse]
        )
    head = ["rule", *(f"equal, {days} d" for days in WITHIN), "worse by 0.5, 30 d", "worse by 1, 30 d"]
    about = f"equal or worse challengers that were promoted within a number of days. {_usual()}"
    return f"**Wrong promotions**: {about}\n\n{_table(head, rows)}"


def _rightly(simulated: Simulated) -> str:
    rows = []
    for name, rule in RULES.items():
        fates = [fate(rule, simulated[Pair(USUAL, difference)]) for difference in (0.005, 0.01, 0.02)]
        rows.append([name, *(_reached(one) for one in fates)])
    head = ["rule", "better by 0.5", "better by 1", "better by 2"]
    about = f"promoted within 7 / 14 / 30 / 60 days, and the median day of these promotions. {_usual()}"
    return f"**Right promotions**: {about}\n\n{_table(head, rows)}"


def _by_disagreement(simulated: Simulated) -> str:
    rows = []
    for share in DISAGREEMENTS:
        for difference in (*(-one for one in DIFFERENCES[:0:-1]), *DIFFERENCES):
            name = f"{'worse' if difference < 0 else 'better'} by {100 * abs(difference):g}" if difference else "equal"
            days = _days_of(simulated, share, difference)
            one = fate(RULES[GUARDED], days)
            low, high = wilson(one.promoted_within(60), len(days.missed))
            interval = f"{_share(one.promoted_within(60))} ({_share(low)} to {_share(high)})"
            retired = [_share(one.retired_within(within)) for within in (14, 30, 60)]
            rows.append(
                [f"{100 * share:.0f} %", name, *(_share(one.promoted_within(d)) for d in (7, 14, 30)), interval]
            )
            rows[-1] += [_median(one), *retired]
    head = ["directions differ on", "challenger", "7 d", "14 d", "30 d", "60 d (95 %)", "median"]
    head += ["retired 14 d", "retired 30 d", "retired 60 d"]
    about = "promoted within a number of days, and retired as clearly worse"
    return f"**The default rule, by share of differing directions**: {about}.\n\n{_table(head, rows)}"


def _demotion(simulated: Simulated) -> str:
    rows = []
    for name in (ALONE, DAY_INTERVAL, GUARDED):
        rows.append([name])
        for difference in (-0.02, -0.01, -0.005, 0.0, 0.005, 0.01):
            rows[-1].append(_share(rolled_back(RULES[name], _days_of(simulated, USUAL, difference))))
    head = ["rule", "worse by 2", "worse by 1", "worse by 0.5", "equal", "better by 0.5", "better by 1"]
    about = "how often the previous ensemble returns after its day in shadow, by the quality of the new one"
    return f"**Rollbacks**: {about}. {_usual()}\n\n{_table(head, rows)}"


def _year(runs: int, seed: int) -> str:
    rows, errors = [], []
    for name, promotes, back in (
        (ALONE, ab_year.none, ab_year.none),
        (SINCE, ab_year.interval, ab_year.interval),
        (GUARDED, ab_year.sequence, ab_year.interval),
        (f"{GUARDED} of 80 %", partial(ab_year.sequence, alpha=0.2), ab_year.interval),
    ):
        for max_days in (7, 14, 30):
            rows.append([name, str(max_days)])
            for mean in (0.0, -0.003):
                year = ab_year.simulate(promotes, back, max_days, mean, 0.003, runs, seed)
                rows[-1] += [f"{year.gain:+.2f}", f"{year.promotions:.1f}", f"{year.to_a_worse:.2f}"]
                errors.append(1.96 * year.gain_error)
    counts = ["promotions", "to a worse one"]
    head = ["rule", "`ab_max_days`", "mean 0: gain", *counts, "mean -0.3: gain", *counts]
    about = (
        "a new challenger each night if one of three places is free. True accuracies are normal with a standard "
        "deviation of 0.3 points and a mean of 0 or -0.3. Gain: mean true accuracy of the active ensemble minus that "
        f"of the first one, in points; its error is at most {max(errors):.2f} (95 %). Rollbacks: by the rule alone in "
        "the first case, else by the rule and the day's interval"
    )
    return f"**A year** ({runs:,} runs): {about}.\n\n{_table(head, rows)}"


def _narrowest(simulated: Simulated) -> str:
    rows = []
    for narrowest_at in _NARROWEST:
        rule = guarded_at(narrowest_at)
        fates = [fate(rule, simulated[Pair(USUAL, difference)], narrowest_at) for difference in DIFFERENCES]
        rows.append([f"{narrowest_at:,}", _share(fates[0].promoted_within(60)), *(_reached(one) for one in fates[1:])])
    head = ["narrowest at", "equal, 60 d", "better by 0.5", "better by 1", "better by 2"]
    about = "number of disagreements at which the default's sequence is narrowest; 7 / 14 / 30 / 60 days as above"
    return f"**Where the sequence is narrowest**: {about}. {_usual()}\n\n{_table(head, rows)}"


def _usual() -> str:
    return f"Directions differ on {USUAL:.0%} of the minutes.".replace("%", " %")


def _reached(one: Fate) -> str:
    return " / ".join(_share(one.promoted_within(days)) for days in WITHIN[1:]) + f" · {_median(one)}"


def _median(one: Fate) -> str:
    median = one.median_days()
    return "-" if median is None or one.promoted_within(NEVER - 1) < 0.02 else f"{median:.0f}"


def _share(share: float) -> str:
    percent = 100 * share
    digits = 0 if percent >= 9.95 else 1 if percent >= 0.95 or not percent else 2
    return f"{percent:.{digits}f}"


def _days_of(simulated: Simulated, disagreement: float, difference: float) -> Days:
    """The days of a pair. A negative difference is a worse challenger."""
    days = simulated[Pair(disagreement, abs(difference))]
    return days.swapped() if difference < 0 else days


def _by_day(one: Fate) -> np.ndarray:
    return np.array([100 * one.promoted_within(day) for day in range(1, max(WITHIN) + 1)])


def _days(values: np.ndarray) -> np.ndarray:
    return np.arange(1, len(values) + 1)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
