"""What the commands print: text as it is, whatever it holds.

    out = console()
    out.print(plain(file.name))

Names of files, symbols and versions come from outside. Nothing in them is markup, an emoji code or a
command to the terminal: consoles read no markup, and ``plain`` shows control characters as escapes.
"""

import os
import sys
import unicodedata

from rich.console import Console
from rich.text import Text

#: Unicode categories that a terminal acts on or cannot show: control, format, surrogate, line and paragraph ends.
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
#: Columns where nobody set a width: a pipe has none, so that nothing is folded.
_UNFOLDED = 10_000


def console(*, stderr: bool = False) -> Console:
    """Standard output or error, without markup; into a pipe lines and tables are as wide as they need."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else _UNFOLDED
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)


def plain(value: object) -> str:
    r"""Its text on one line: what a terminal would act on is written out, ESC as \x1b."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _NOT_SHOWN else character
        for character in str(value)
    )


def plain_lines(value: object) -> str:
    """``plain``, but line ends stay."""
    return "\n".join(plain(line) for line in str(value).split("\n"))


def cell(value: object) -> Text:
    """A table's cell: what it says and no more."""
    return Text(plain_lines(value))


def shown(value: object, most: int = 60) -> str:
    """A value as Python writes it, cut where it is long: a broken file may hold megabytes between two commas."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
