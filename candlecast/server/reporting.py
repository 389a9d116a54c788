"""Converts CandlecastErrors to PostgreSQL errors with SQLSTATE, DETAIL and HINT.

All other code raises exceptions and does not report through ``plpy``.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from candlecast.core.errors import CandlecastError


def report_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``function(plpy, ...)``, or the generator that it returns, raise CandlecastErrors as PostgreSQL errors."""

    @wraps(function)
    def entry(plpy: Any, *arguments: Any) -> Any:
        try:
            result = function(plpy, *arguments)
        except CandlecastError as error:
            report = error
        else:
            return _call_and_report(plpy, result) if isinstance(result, Iterator) else result
        _report(plpy, report)
        return None

    return entry


def _call_and_report(plpy: Any, rows: Iterator) -> Iterator:
    try:
        yield from rows
    except CandlecastError as error:
        report = error
    else:
        return
    _report(plpy, report)


def warn(plpy: Any, error: CandlecastError) -> None:
    """Send an error as a WARNING; the call continues."""
    plpy.warning(error.message, **_more(error))


def error_text(error: Exception) -> str:
    """Message, detail and hint as one text, to store in a row; for errors of PostgreSQL their message."""
    if isinstance(error, CandlecastError):
        return " ".join(filter(None, (f"{error.message}.", error.detail, error.hint)))
    return str(error)


def _report(plpy: Any, error: CandlecastError) -> None:
    plpy.error(error.message, **_more(error))


def _more(error: CandlecastError) -> dict[str, str]:
    more = {name: value for name, value in (("detail", error.detail), ("hint", error.hint)) if value}
    return {"sqlstate": error.sqlstate} | more
