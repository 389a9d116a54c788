"""`candlecast repair`: holds stored candles to the exchange's, fills what is missing and corrects what differs.

Whole days come from the archives where those have them; the rest, and what they lack, by REST.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from rich.console import Console

from candlecast.candles.history.backfill import closed_until, listed_since, require_symbol
from candlecast.candles.history.coverage import Days, gaps, oldest, runs, without
from candlecast.candles.history.importer import Filler, Outcome
from candlecast.candles.history.report import print_repair
from candlecast.candles.history.runner import Session, run
from candlecast.candles.load import Gap
from candlecast.client.display import console
from candlecast.client.progress import shown as progress
from candlecast.core.errors import CandlecastUserError, Unreachable
from candlecast.core.text import plain
from candlecast.core.times import EPOCH
from candlecast.exchanges.base import Exchange

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True)
class RepairOptions:
    """Which minutes, [from_time, to_time), and what to do about them; default: from the oldest candle to now."""

    from_time: datetime | None = None
    to_time: datetime | None = None
    gaps_only: bool = False  #: values are not compared
    dry_run: bool = False


def repair(symbols: Sequence[str], options: RepairOptions, exchange: Exchange, url: str | None = None) -> int:
    """Mend each symbol's candles; the exit status, as ``backfill`` has it. Raises CandlecastUserError."""

    async def command(session: Session) -> int:
        outcomes: list[Outcome] = []
        err = console(stderr=True)
        try:
            for symbol in dict.fromkeys(symbols):
                outcome = Outcome(symbol)
                outcomes.append(outcome)
                try:
                    await _repair(session, outcome, options, err)
                except Unreachable:
                    raise
                except CandlecastUserError as error:
                    outcome.failed = error
        finally:
            print_repair(console(), outcomes, options.dry_run)
        return int(any(not outcome.is_complete for outcome in outcomes))

    return run(command, exchange, url)


async def _repair(session: Session, outcome: Outcome, options: RepairOptions, err: Console) -> None:
    symbol = outcome.symbol
    require_symbol(symbol)
    start, end = await _range(session, symbol, options)
    start = await listed_since(session, symbol, start, end, err)
    lacking = await session.database(gaps, symbol, start, end)
    wanted = lacking if options.gaps_only else [Gap(start, end - _MINUTE)]
    days, edges = _whole_days(wanted, closed_until(session.now).date())
    archives = [a for stretch in runs(days) for a in session.exchange.archives(symbol, stretch.first, stretch.last)]
    with progress(err, plain(symbol)) as show:
        filler = Filler(session, outcome, show, compare=not options.gaps_only, dry_run=options.dry_run)
        came = await filler.archives(archives, sum(gap.minutes for gap in edges))
        left = [Gap(day.start, day.end - _MINUTE) for day in runs(day for day in days if day not in came)]
        brought = [
            gap for day in runs(sorted(came)) for gap in await session.database(gaps, symbol, day.start, day.end)
        ]
        if options.dry_run:
            brought = without(brought, filler.found)
        await filler.klines(sorted([*edges, *left, *brought], key=lambda gap: gap.first))
    outcome.missing = await session.database(gaps, symbol, start, end)
    if options.dry_run:
        outcome.missing = without(outcome.missing, filler.found)
    outcome.is_counted = True


async def _range(session: Session, symbol: str, options: RepairOptions) -> tuple[datetime, datetime]:
    """[start, end), on the minute."""
    start = options.from_time or await session.database(oldest, symbol)
    if start is None:
        raise CandlecastUserError(
            f"the database has no candle of {plain(symbol)}",
            f"candlecast backfill --symbol {plain(symbol)} fetches them; --from says since when to repair.",
        )
    end = min(options.to_time or datetime.max.replace(tzinfo=UTC), closed_until(session.now))
    start, end = (EPOCH - (EPOCH - edge) // _MINUTE * _MINUTE for edge in (start, end))  # rounded up
    if start >= end:
        raise CandlecastUserError(
            f"there is nothing to repair from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
            "Give a --from before --to, and before now.",
        )
    return start, end


def _whole_days(wanted: Sequence[Gap], today: date) -> tuple[list[date], list[Gap]]:
    """Ascending, disjoint ranges as the whole days in them, before today, and the rest."""
    days: list[date] = []
    edges: list[Gap] = []
    for gap in wanted:
        first, end = gap.first, gap.last + _MINUTE
        from_day = first.date() if first.time() == time() else first.date() + _DAY
        to_day = min(end.date(), today)  # itself left out
        if from_day >= to_day:
            edges.append(gap)
            continue
        whole = Days(from_day, to_day - _DAY)
        days += whole
        edges += [Gap(a, b - _MINUTE) for a, b in ((first, whole.start), (whole.end, end)) if a < b]
    return days, edges
