"""Prints text verbatim, with control characters escaped.

    out = console()
    out.print(plain(file.name))

Names of files, symbols and versions are untrusted input. Consoles do not interpret markup or emoji codes, and ``plain``
escapes control characters.
"""

import os
import sys

from rich.console import Console
from rich.text import Text

from candlecast.core.errors import CandlecastUserError
from candlecast.core.text import plain_lines

#: Width in a pipe, so that nothing is folded.
_UNFOLDED = 10_000


def console(*, stderr: bool = False) -> Console:
    """A console for standard output or error, without markup; lines and tables are not folded in a pipe."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else _UNFOLDED
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


def cell(value: object) -> Text:
    """A table cell with the value as plain text."""
    return Text(plain_lines(value))


def print_error(error: CandlecastUserError) -> None:
    """Print `candlecast: MESSAGE` and `hint: REMEDY` to standard error."""
    sys.stderr.write(f"candlecast: {plain_lines(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {plain_lines(error.hint)}\n")
