"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

#: Seconds between two lines where there is no terminal.
LINE_EVERY = 15.0


@contextmanager
def shown(console: Console, title: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show one stage; the function it gives takes (done, total, note)."""
    started = time.monotonic()
    if console.is_terminal:
        columns = (
            TextColumn(f"{title:<20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(title, total=None, note="")
            yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)
    else:
        told = started

        def tell(done: int, total: int, note: str) -> None:
            nonlocal told
            if time.monotonic() - told >= LINE_EVERY:
                told = time.monotonic()
                console.print(f"{title}: {done:,} of {total:,} {note}".rstrip(), highlight=False)

        yield tell
    console.print(f"{title}: done in {time.monotonic() - started:.1f} s", highlight=False)
