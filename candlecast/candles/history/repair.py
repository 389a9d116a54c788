"""`candlecast repair`: compares stored candles with the exchange's, fills gaps and corrects differing values.

Whole days come from the archives, everything else over REST.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from rich.console import Console

from candlecast.candles.gaps import Gap, find_gaps, subtract_minutes
from candlecast.candles.history.coverage import find_oldest_candle
from candlecast.candles.history.days import ONE_DAY, Days, group_days
from candlecast.candles.history.importer import Importer
from candlecast.candles.history.outcome import Outcome
from candlecast.candles.history.report import print_repair
from candlecast.candles.history.runner import Context, run_symbols
from candlecast.candles.history.span import find_closed_end, find_listing_time, require_symbol
from candlecast.client.display import console
from candlecast.client.progress import show_progress
from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain
from candlecast.core.times import EPOCH, ONE_MINUTE, describe_span
from candlecast.exchanges.base import Exchange


@dataclass(frozen=True)
class RepairOptions:
    """The range [from_time, to_time), by default from the oldest candle to now, and the mode."""

    from_time: datetime | None = None
    to_time: datetime | None = None
    gaps_only: bool = False  #: fill gaps, do not compare values
    dry_run: bool = False  #: write nothing


def repair(symbols: Sequence[str], options: RepairOptions, exchange: Exchange, url: str | None = None) -> int:
    """Repair each symbol's candles. Returns the exit status of ``run_symbols``. Raises CandlecastUserError."""
    err = console(stderr=True)

    async def work(context: Context, outcome: Outcome) -> None:
        await _repair(context, outcome, options, err)

    def print_outcomes(outcomes: list[Outcome]) -> None:
        print_repair(console(), outcomes, options.dry_run)

    return run_symbols(symbols, work, print_outcomes, exchange, url)


async def _repair(context: Context, outcome: Outcome, options: RepairOptions, err: Console) -> None:
    symbol = outcome.symbol
    require_symbol(symbol)
    start, end = await _find_range(context, symbol, options)
    start = await find_listing_time(context, symbol, start, end, err)
    lacking = await context.execute(find_gaps, symbol, start, end)
    wanted = lacking if options.gaps_only else [Gap(start, end - ONE_MINUTE)]
    days, edges = _split_days(wanted, find_closed_end(context.now).date())
    with show_progress(err, plain(symbol)) as show:
        importer = Importer(context, outcome, show, compare=not options.gaps_only, dry_run=options.dry_run)
        loaded = await importer.import_days(days, sum(gap.minutes for gap in edges))
        left = [Gap(day.start, day.end - ONE_MINUTE) for day in group_days(day for day in days if day not in loaded)]
        still_missing: list[Gap] = []
        for span in group_days(sorted(loaded)):
            still_missing += await context.execute(find_gaps, symbol, span.start, span.end)
        if options.dry_run:
            still_missing = subtract_minutes(still_missing, importer.minutes_found)
        await importer.import_klines(sorted([*edges, *left, *still_missing], key=lambda gap: gap.first))
    outcome.missing = await context.execute(find_gaps, symbol, start, end)
    if options.dry_run:
        outcome.missing = subtract_minutes(outcome.missing, importer.minutes_found)
    outcome.is_counted = True


async def _find_range(context: Context, symbol: str, options: RepairOptions) -> tuple[datetime, datetime]:
    """[start, end), on the minute."""
    start = options.from_time or await context.execute(find_oldest_candle, symbol)
    if start is None:
        raise CandlecastUserError(
            f"the database has no candles of {plain(symbol)}",
            f"Run `candlecast backfill --symbol {plain(symbol)}`, or set the first minute with --from.",
        )
    end = min(options.to_time or datetime.max.replace(tzinfo=UTC), find_closed_end(context.now))
    start, end = (EPOCH - (EPOCH - edge) // ONE_MINUTE * ONE_MINUTE for edge in (start, end))  # rounded up
    if start >= end:
        raise CandlecastUserError(
            f"the range {describe_span(start, end)} UTC is empty",
            "Set --from to a time before --to and before now.",
        )
    return start, end


def _split_days(wanted: Sequence[Gap], today: date) -> tuple[list[date], list[Gap]]:
    """Split ascending, disjoint ranges into whole days before today, and the rest."""
    days: list[date] = []
    edges: list[Gap] = []
    for gap in wanted:
        first, end = gap.first, gap.last + ONE_MINUTE
        from_day = first.date() if first.time() == time() else first.date() + ONE_DAY
        to_day = min(end.date(), today)  # exclusive
        if from_day >= to_day:
            edges.append(gap)
            continue
        whole = Days(from_day, to_day - ONE_DAY)
        days += whole
        edges += [Gap(a, b - ONE_MINUTE) for a, b in ((first, whole.start), (whole.end, end)) if a < b]
    return days, edges
