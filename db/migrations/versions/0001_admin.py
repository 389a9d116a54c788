"""Roles, extensions, notes for the downgrade, and settings.

pg_cron's jobs belong to this topic too, but come in a later step: they call functions of all topics.

Revises: nothing
"""

from db.migrations import notes
from db.migrations.extensions import create_extensions, drop_extensions
from db.migrations.objects import create, execute
from db.migrations.roles import drop_roles

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    notes.begin()
    create("admin/roles", version=1)
    create_extensions()
    create("admin/ml_settings", version=1)
    create("admin/ml_setting", version=1)


def downgrade() -> None:
    execute("drop function ml_setting(text); drop table ml_settings")
    drop_extensions()
    drop_roles()
    notes.end()
