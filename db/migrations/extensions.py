"""plpython3u, and pg_cron if this is its database (a server has one)."""

from db.migrations import notes
from db.migrations.objects import execute, scalar


def create_extensions() -> None:
    """Create the missing extensions, and note which."""
    created = [name for name in _list_wanted() if not _there(name)]
    for name in created:
        execute(f"create extension {name}")
    notes.write("extensions_created", created)


def drop_extensions() -> None:
    """Drop what `create_extensions` created, nothing else."""
    for name in notes.read("extensions_created"):
        execute(f"drop extension if exists {name}")


def pg_cron_is_here() -> bool:
    """Whether this database has pg_cron."""
    return _there("pg_cron")


def notice(message: str) -> None:
    """Raise a notice, which Alembic prints."""
    execute(f"do $$ begin raise notice '{message}'; end $$")


def _list_wanted() -> list[str]:
    home = scalar("select current_setting('cron.database_name', true)")
    if home == scalar("select current_database()"):
        return ["plpython3u", "pg_cron"]
    where = f"it is in database {home}" if home else "the server does not preload it"
    notice(
        f"pg_cron is not available in this database ({where}): no jobs are scheduled here. "
        "Call run_inference() every minute some other way, or set shared_preload_libraries = pg_cron "
        "and cron.database_name to this database, restart, and migrate again from base."
    )
    return ["plpython3u"]


def _there(name: str) -> bool:
    return bool(scalar(f"select exists (select from pg_extension where extname = '{name}')"))
