"""Applies SQL files by name and version, so that no body of a function or a view lives in Python.

`create("features/features_between", version=1)` runs `db/functions/features/features_between_v01.sql` unchanged.
`no_parameters` makes psycopg accept `%`, `::` and several statements.
"""

from pathlib import Path
from typing import Any

from alembic import op

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"


def execute(sql: str) -> Any:
    """Run SQL text, one statement or several; returns the result of the first."""
    return op.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def create(name: str, *, version: int) -> None:
    """Create the object `name`, which is topic/object, from its file of that version."""
    execute((FUNCTIONS / f"{name}_v{version:02d}.sql").read_text())


def scalar(sql: str) -> Any:
    """The first value of a query."""
    return execute(sql).scalar()
