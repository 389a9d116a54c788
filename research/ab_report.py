"""The simulation's tables in Markdown, and its plot. Shares are in percent, differences in points of accuracy."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from candlecast.trainer.evaluation.plots import DPI, SETTINGS
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
#: The disagreement of tables that show one only.
USUAL = 0.3
WITHIN = (1, 7, 14, 30, 60)
_NARROWEST = (1_000, 4_000, 16_000)
#: Okabe & Ito's colors and a line each, so that neither eyes nor printers need color.
_LINES = {
    ALONE: ("#000000", "-"),
    POOLED: ("#E69F00", "--"),
    DAY_INTERVAL: ("#009E73", "-."),
    SINCE: ("#56B4E9", (0, (1, 1))),
    GUARDED: ("#D55E00", "-"),
}
_WIDTHS = {0.1: ("--", 1.1), 0.3: ("-", 2.2), 0.5: (":", 1.4)}
_BETTER = {0.02: "#0072B2", 0.01: "#009E73", 0.005: "#D55E00"}


def pairs() -> list[Pair]:
    """What the tables need."""
    return [Pair(disagreement, difference) for disagreement in DISAGREEMENTS for difference in DIFFERENCES]


def tables(simulated: Simulated, year_runs: int, seed: int) -> str:
    """Every table, each with its heading."""
    parts = [part(simulated) for part in (_about, _wrongly, _rightly, _by_disagreement, _demotion)]
    return "\n\n".join([*parts, _year(year_runs, seed), _narrowest(simulated)])


def plot(simulated: Simulated, path: Path) -> None:
    """Wrong promotions by rule, and right ones of the default by difference, day by day."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(10.4, 4.8), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        equal, better = figure.subplots(1, 2)
        for name, (color, dashes) in _LINES.items():
            promoted = _by_day(fate(RULES[name], simulated[Pair(USUAL, 0.0)]))
            promoted[promoted == 0] = np.nan
            equal.plot(_days(promoted), promoted, color=color, linestyle=dashes, linewidth=2, label=name)
        equal.axhline(2.5, color="#666666", linewidth=0.8, linestyle=":")
        equal.text(60, 2.65, "2.5 %: the sequence's promise, at any time", ha="right", va="bottom", fontsize=8)
        equal.set_yscale("log")
        equal.set_ylim(0.03, 130)
        equal.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
        equal.set_title("An equal challenger: promoted wrongly, by rule", loc="left")
        equal.set_ylabel("promoted by then, % of tests (logarithmic)")
        for difference, color in _BETTER.items():
            for share, (dashes, width) in _WIDTHS.items():
                by_day = _by_day(fate(RULES[GUARDED], simulated[Pair(share, difference)]))
                better.plot(_days(by_day), by_day, color=color, linestyle=dashes, linewidth=width)
        for difference, color in _BETTER.items():
            better.plot([], [], color=color, linewidth=2, label=f"better by {100 * difference:g}")
        for share, (dashes, width) in _WIDTHS.items():
            label = f"differ on {100 * share:.0f} %"
            better.plot([], [], color="#666666", linestyle=dashes, linewidth=width, label=label)
        better.set_title("A better challenger: promoted by the default", loc="left")
        better.set_ylabel("promoted by then, % of tests")
        better.set_ylim(0, 101)
        for axes in (equal, better):
            axes.set_xlim(0, 61)
            axes.set_xticks(WITHIN, [str(day) for day in WITHIN])
            axes.set_xlabel("days on test")
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=8, columnspacing=1.0)
        told = (
            "Simulated tests; differences in points of accuracy at one minute. Left: directions differ on 30 % of them"
        )
        figure.suptitle(told, x=0.01, ha="left", fontsize=10)
        figure.savefig(path)


def _about(simulated: Simulated) -> str:
    runs = len(next(iter(simulated.values())).missed)
    half = 100 * 1.96 * np.sqrt(0.25 / runs)
    low, high = (100 * end for end in wilson(0.01, runs))
    missed = [100 * float(days.missed.mean()) for days in simulated.values()]
    return (
        f"{runs:,} runs of each pair, one look per day. Shares are in percent. Simulation error (95 %, "
        f"Wilson): at most {half:.1f} for a share near 50, {low:.1f} to {high:.1f} for a share of 1.0. In "
        f"{min(missed):.1f} to {max(missed):.1f} % of the runs, by pair, the sequence excluded the truth at a minute "
        f"of {max(WITHIN)} days; 5 % are allowed."
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
    head = ["", *(f"{days} d" for days in WITHIN), "worse by 0.5, 30 d", "worse by 1, 30 d"]
    return f"**Wrong promotions**: of an equal challenger, by day; of a worse one. {_usual()}\n\n{_table(head, rows)}"


def _rightly(simulated: Simulated) -> str:
    rows = []
    for name, rule in RULES.items():
        fates = [fate(rule, simulated[Pair(USUAL, difference)]) for difference in (0.005, 0.01, 0.02)]
        rows.append([name, *(_reached(one) for one in fates)])
    head = ["", "better by 0.5", "by 1", "by 2"]
    told = f"within 7 / 14 / 30 / 60 days, and median day of the promotions. {_usual()}"
    return f"**Right promotions**: {told}\n\n{_table(head, rows)}"


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
    head = ["differ on", "challenger", "7 d", "14 d", "30 d", "60 d (95 %)", "median", "retired 14 d", "30 d", "60 d"]
    told = "promoted, and retired as clearly worse"
    return f"**The default, by how often directions differ**: {told}.\n\n{_table(head, rows)}"


def _demotion(simulated: Simulated) -> str:
    rows = []
    for name in (ALONE, DAY_INTERVAL, GUARDED):
        rows.append([name])
        for difference in (-0.02, -0.01, -0.005, 0.0, 0.005, 0.01):
            rows[-1].append(_share(rolled_back(RULES[name], _days_of(simulated, USUAL, difference))))
    head = ["", "worse by 2", "by 1", "by 0.5", "equal", "better by 0.5", "by 1"]
    told = "how often the shadow comes back after its day, by the true difference of the new ensemble"
    return f"**Rolled back**: {told}. {_usual()}\n\n{_table(head, rows)}"


def _year(runs: int, seed: int) -> str:
    rows, errors = [], []
    for name, promotes, back in (
        (ALONE, ab_year.none, ab_year.none),
        (SINCE, ab_year.interval, ab_year.interval),
        (GUARDED, ab_year.sequence, ab_year.interval),
        (f"{GUARDED}, of 80 %", partial(ab_year.sequence, alpha=0.2), ab_year.interval),
    ):
        for max_days in (7, 14, 30):
            rows.append([name, str(max_days)])
            for mean in (0.0, -0.003):
                year = ab_year.simulate(promotes, back, max_days, mean, 0.003, runs, seed)
                rows[-1] += [f"{year.live:+.2f}", f"{year.promotions:.1f}", f"{year.to_a_worse:.2f}"]
                errors.append(1.96 * year.live_error)
    counts = ["promotions", "to a worse one"]
    head = ["", "`ab_max_days`", "mean 0: active", *counts, "mean -0.3: active", *counts]
    told = (
        "a new challenger each night if one of three places is free; true accuracies are normal, sd 0.3 points, mean "
        "0 or -0.3. Active: mean true accuracy of the active ensembles, in points above the first one; simulation "
        f"error at most {max(errors):.2f} (95 %). Rollback by the rule alone, else by the day's interval"
    )
    return f"**A year** ({runs:,} runs): {told}.\n\n{_table(head, rows)}"


def _narrowest(simulated: Simulated) -> str:
    rows = []
    for narrowest_at in _NARROWEST:
        rule = guarded_at(narrowest_at)
        fates = [fate(rule, simulated[Pair(USUAL, difference)], narrowest_at) for difference in DIFFERENCES]
        rows.append([f"{narrowest_at:,}", _share(fates[0].promoted_within(60)), *(_reached(one) for one in fates[1:])])
    head = ["narrowest at", "equal, 60 d", "better by 0.5", "by 1", "by 2"]
    told = "number of disagreements at which the default's sequence is narrowest; 7 / 14 / 30 / 60 days as above"
    return f"**Where the sequence is narrowest**: {told}. {_usual()}\n\n{_table(head, rows)}"


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
    """A negative difference is a worse challenger."""
    days = simulated[Pair(disagreement, abs(difference))]
    return days.swapped() if difference < 0 else days


def _by_day(one: Fate) -> np.ndarray:
    return np.array([100 * one.promoted_within(day) for day in range(1, max(WITHIN) + 1)])


def _days(values: np.ndarray) -> np.ndarray:
    return np.arange(1, len(values) + 1)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
