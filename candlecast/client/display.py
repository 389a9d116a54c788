"""What the commands print: text as it is, whatever it holds.

    out = console()
    out.print(plain(file.name))

Names of files, symbols and versions come from outside. Nothing in them is markup, an emoji code or a
command to the terminal: consoles read no markup, and ``plain`` shows control characters as escapes.
"""

import os
import sys

from rich.console import Console
from rich.text import Text

from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain_lines

#: Columns where nobody set a width: a pipe has none, so that nothing is folded.
_UNFOLDED = 10_000


def console(*, stderr: bool = False) -> Console:
    """Standard output or error, without markup; into a pipe lines and tables are as wide as they need."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else _UNFOLDED
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


def cell(value: object) -> Text:
    """A table's cell: what it says and no more."""
    return Text(plain_lines(value))


def print_error(error: CandlecastUserError) -> None:
    """`candlecast: what happened` and `hint: what to do`, on standard error."""
    sys.stderr.write(f"candlecast: {plain_lines(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {plain_lines(error.hint)}\n")
