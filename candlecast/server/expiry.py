"""A warning, never an error, for models that are older than the setting model_expiry."""

from candlecast.core.errors import ModelExpired
from candlecast.core.settings import Settings
from candlecast.core.times import DAY_SECONDS, format_timestamp
from candlecast.server.ensemble_row import EnsembleRow
from candlecast.server.reporting import warn
from candlecast.server.session import Session


def check_expiry(row: EnsembleRow | None, settings: Settings, now: float) -> ModelExpired | None:
    """The warning for an ensemble at ``now`` (epoch seconds), or None. The age of its older version counts.

    ``row`` is None for files of the server's environment, whose age is unknown.
    """
    limit = settings.model_expiry
    if row is None or limit is None or now - row.trained_at <= limit:
        return None
    return ModelExpired(
        f"The older of its two versions was trained at {format_timestamp(row.trained_at)}.",
        ensemble_id=row.id,
        symbol=row.symbol,
        age=_length(now - row.trained_at),
        limit=_length(limit),
    )


def _length(seconds: float) -> str:
    """In days, hours or minutes: the largest unit with a value of at least 1."""
    for unit, size in (("d", DAY_SECONDS), ("h", 3_600)):
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds / 60, 1):g} min"


def warn_once(session: Session, row: EnsembleRow, settings: Settings, now: float) -> None:
    """Send the caller a WARNING, once per session and expired ensemble."""
    if row.id in session.warned or (warning := check_expiry(row, settings, now)) is None:
        return
    session.warned.add(row.id)
    warn(session.plpy, warning)
