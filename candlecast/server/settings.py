"""Reads settings from the database: ``ml_settings``, and the value in effect."""

import json
from typing import Any

from candlecast.core.settings import Settings, in_effect, resolve
from candlecast.server.reporting import report_errors
from candlecast.server.session import Session

#: ml_settings as JSON, a column for other queries. `resolve` parses it.
STORED_SETTINGS = "(select jsonb_object_agg(name, value) from public.ml_settings)::text as settings"


_QUERY = f"select {STORED_SETTINGS}"


def read_settings(session: Session) -> Settings:
    """The current settings. Raises SettingInvalid."""
    return resolve(session.rows(_QUERY)[0]["settings"])


@report_errors
def ml_setting(plpy: Any, cache: dict, name: str) -> str:
    """The value in effect, for callers that cannot read the server's environment."""
    stored = Session.of(plpy, cache).rows(_QUERY)[0]["settings"]
    return in_effect(name, json.loads(stored))
