"""Notes of the upgrade, so that a downgrade removes only what the upgrade has added."""

import json
from typing import Any

from db.migrations.objects import execute, scalar

#: Start of the table's comment: it distinguishes the table from another application's of the same name.
MARK = "What was here before candlecast"
COMMENTS = f"""
comment on table public.migration_notes is '{MARK}, for the downgrade: one row per note. Not for users.';
comment on column public.migration_notes.name is 'Name of the note.';
comment on column public.migration_notes.note is 'What the upgrade found and changed.';
comment on table public.candlecast_version is 'Version of the schema, written by Alembic: one row.';
comment on column public.candlecast_version.version_num is 'Newest migration that was applied.';
"""


def begin() -> None:
    """Create the table of notes."""
    execute(f"create table public.migration_notes (name text primary key, note jsonb not null); {COMMENTS}")


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
