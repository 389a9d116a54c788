"""Progress of long tasks: a bar on a terminal, otherwise a line every 15 s."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from candlecast.core.text import plain

#: Interval between two lines without a terminal.
LINE_INTERVAL_SECONDS = 15.0


@contextmanager
def show_progress(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show one stage; yields a function (done, total, note)."""
    started, title = time.monotonic(), plain(title)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),  # the rest of the line
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=console, transient=True, expand=True) as bar:
            task = bar.add_task(title, total=None, note="")
            yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)
    else:
        printed = started

        def print_line(done: int, total: int, note: str) -> None:
            nonlocal printed
            if time.monotonic() - printed >= LINE_INTERVAL_SECONDS:
                printed = time.monotonic()
                _line(console, f"{title}: {done:,} of {total:,}" + (f", {note}" if note else ""))

        yield print_line
    _line(console, f"{title}: done in {time.monotonic() - started:.1f} s")


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
