"""Options that several commands of ``candlecast`` share."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PublishAs(StrEnum):
    """State of a published ensemble; waiting: until test_ensemble() or activate_ensemble() is called."""

    active = "active"
    test = "test"
    waiting = "waiting"


class PublishAfterTraining(StrEnum):
    """The same, or no publication."""

    active = "active"
    test = "test"
    waiting = "waiting"
    none = "none"


def time_of(text: str) -> datetime:
    """Parse a time of the command line; UTC if it has no time zone."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not a time. Write 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z."
        ) from None


def symbol_of(text: str) -> str:
    """Parse a symbol of an exchange and convert it to capitals."""
    symbol = text.strip().upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9._:/-]{0,39}", symbol):
        raise typer.BadParameter(f"{text!r} is not a symbol. Write it like BTCUSDT.")
    return symbol


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="URL of the database; default: DATABASE_URL in the environment or in the nearest .env.",
        show_default=False,
    ),
]
FromTime = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        parser=time_of,
        metavar="TIME",
        help="Start time (inclusive); default: the oldest candle.",
        show_default=False,
    ),
]
ToTime = Annotated[
    datetime | None,
    typer.Option(
        "--to",
        parser=time_of,
        metavar="TIME",
        help="End time (exclusive); default: after the newest candle.",
        show_default=False,
    ),
]
ModelsDir = Annotated[Path, typer.Option("--models-dir", help="Folder for the trained versions.")]
