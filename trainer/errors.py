"""Errors that a user can cause and mend. The command line prints them without a traceback.

Whatever is not a ``CandlecastUserError`` is a defect and keeps its traceback.
"""

import sys

from trainer.display import plain, plain_lines


class CandlecastUserError(Exception):
    """What happened (``message``) and what to do about it (``hint``)."""

    exit_status = 1  #: of the command that it ends

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class FileRefused(CandlecastUserError):
    """A candle file that is not loaded: which file, where in it (``place``: 'line 7') and why."""

    def __init__(self, file: str, reason: str, hint: str | None = None, place: str | None = None) -> None:
        where = f"{plain(file)}: {place}" if place else plain(file)
        super().__init__(f"{where}: {reason}", hint)
        self.file = file
        self.place = place
        self.reason = reason


def print_error(error: CandlecastUserError) -> None:
    """`candlecast: what happened` and `hint: what to do`, on standard error."""
    sys.stderr.write(f"candlecast: {plain_lines(error.message)}\n")
    if error.hint:
        sys.stderr.write(f"hint: {plain_lines(error.hint)}\n")
