"""Options that several commands of ``candlecast`` share, each with its help: here once."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PublishAs(StrEnum):
    """How a published ensemble goes live; waiting: not before test_ensemble() or activate_ensemble() is called."""

    active = "active"
    test = "test"
    waiting = "waiting"


class PublishAfterTraining(StrEnum):
    """The same, or not at all."""

    active = "active"
    test = "test"
    waiting = "waiting"
    none = "none"


def time_of(text: str) -> datetime:
    """A time of the command line, UTC where it names no zone."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time like 2026-03-01, 2026-03-01T10:00 or 2026-03-01T10:00:00Z."
        ) from None


def symbol_of(text: str) -> str:
    """A symbol of an exchange, in capitals as exchanges write them."""
    symbol = text.strip().upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9._:/-]{0,39}", symbol):
        raise typer.BadParameter(f"{text!r} is no symbol like BTCUSDT.")
    return symbol


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="Where the database is; default: DATABASE_URL of the environment, else of the nearest .env.",
        show_default=False,
    ),
]
FromTime = Annotated[
    datetime | None,
    typer.Option(
        "--from", parser=time_of, metavar="TIME", help="First candle; default: the oldest.", show_default=False
    ),
]
ToTime = Annotated[
    datetime | None,
    typer.Option(
        "--to",
        parser=time_of,
        metavar="TIME",
        help="Where to stop, itself left out; default: after the newest candle.",
        show_default=False,
    ),
]
ModelsDir = Annotated[Path, typer.Option("--models-dir", help="Where versions are written.")]
