"""What the migrations found here, so that a downgrade takes away only what an upgrade brought."""

import json
from typing import Any

from db.migrations.objects import execute, scalar

#: What tells the table from another application's of that name.
COMMENT = "What was here before candlecast; its downgrade reads it. Not for users."


def begin() -> None:
    """Make the table of notes."""
    execute(
        "create table public.migration_notes (name text primary key, note jsonb not null);"
        f"comment on table public.migration_notes is '{COMMENT}'"
    )


def end() -> None:
    """Drop it."""
    execute("drop table public.migration_notes")


def write(name: str, note: Any) -> None:
    """Keep a note, as JSON."""
    text = json.dumps(note).replace("'", "''")
    execute(f"insert into public.migration_notes values ('{name}', '{text}')")


def read(name: str) -> Any:
    """The note of that name, or None."""
    return scalar(f"select note from public.migration_notes where name = '{name}'")


def forget(name: str) -> None:
    """Remove a note."""
    execute(f"delete from public.migration_notes where name = '{name}'")
