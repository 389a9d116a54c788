"""Roles, PL/Python, pg_cron where this is its database, and notes of what was there before.

Revises: nothing
"""

from db.migrations import notes
from db.migrations.extensions import create_extensions, drop_extensions
from db.migrations.objects import create
from db.migrations.roles import drop_roles

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    notes.begin()
    create("roles", version=1)
    create_extensions()


def downgrade() -> None:
    drop_extensions()
    drop_roles()
    notes.end()
