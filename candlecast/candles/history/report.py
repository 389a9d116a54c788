"""Prints the results of backfill and repair, also when they are stopped."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from candlecast.candles.gaps import describe_gaps
from candlecast.candles.history.outcome import Outcome
from candlecast.client.display import cell, print_error
from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain


def print_backfill(out: Console, outcomes: Sequence[Outcome]) -> None:
    """Print one row per symbol: candles by source and result; then gaps and errors."""
    table = Table("symbol", "archives", "inserted", "changed", "unchanged", "by REST", "missing")
    for one in outcomes:
        counts = (one.archives, one.inserted, one.changed, one.unchanged, one.by_rest)
        table.add_row(cell(one.symbol), *(f"{count:,}" for count in counts), _missing(one))
    _print(out, table, outcomes)


def print_repair(out: Console, outcomes: Sequence[Outcome], dry_run: bool) -> None:
    """Print one row per symbol: filled and corrected minutes; then examples, gaps and errors."""
    table = Table("symbol", "archives", "to fill" if dry_run else "filled", "to correct" if dry_run else "corrected")
    for column in ("unchanged", "by REST", "missing"):
        table.add_column(column)
    for one in outcomes:
        counts = (one.archives, one.inserted, one.changed, one.unchanged, one.by_rest)
        table.add_row(cell(one.symbol), *(f"{count:,}" for count in counts), _missing(one))
    _print(out, table, outcomes)
    if dry_run and outcomes:
        out.print("Nothing was written: --dry-run.")


def _print(out: Console, table: Table, outcomes: Sequence[Outcome]) -> None:
    if outcomes:
        out.print(table)
    for one in outcomes:
        symbol = plain(one.symbol)
        for example in one.examples:
            out.print(f"{symbol} {example}", soft_wrap=True)
        if one.changed > len(one.examples) > 0:
            out.print(f"{symbol}: and {one.changed - len(one.examples):,} more", soft_wrap=True)
        if one.is_counted:
            if one.refused:
                out.print(f"{symbol}: minutes without a valid archive were requested over REST", soft_wrap=True)
            for line in describe_gaps(one.missing, "the exchange has no candles for"):
                out.print(f"{symbol}: {line}", soft_wrap=True)
    for one in outcomes:
        for refusal in one.refused:
            is_there = one.is_counted and not one.minutes_missing and one.failed is None
            hint = "Nothing to do: its minutes were loaded from another source." if is_there else refusal.hint
            print_error(CandlecastUserError(refusal.message, hint))
        for refusal in one.broken:
            print_error(refusal)
        if one.failed is not None:
            print_error(one.failed)


def _missing(one: Outcome) -> str:
    return f"{one.minutes_missing:,}" if one.is_counted else "unknown"
