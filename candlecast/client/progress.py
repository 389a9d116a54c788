"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from candlecast.core.text import plain

#: Between two lines where there is no terminal.
LINE_INTERVAL_SECONDS = 15.0


@contextmanager
def show_progress(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show one stage; the function it gives takes (done, total, note)."""
    started, title = time.monotonic(), plain(title)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),  # what is left of the line: the note matters more
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=console, transient=True, expand=True) as bar:
            task = bar.add_task(title, total=None, note="")
            yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)
    else:
        told = started

        def tell(done: int, total: int, note: str) -> None:
            nonlocal told
            if time.monotonic() - told >= LINE_INTERVAL_SECONDS:
                told = time.monotonic()
                _line(console, f"{title}: {done:,} of {total:,}" + (f", {note}" if note else ""))

        yield tell
    _line(console, f"{title}: done in {time.monotonic() - started:.1f} s")


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
