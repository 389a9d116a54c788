"""A row for every nightly training, and the pruning of old versions.

Revises: 0008
"""

from db.migrations.objects import create, execute

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("training_runs", version=1)
    create("prune_versions", version=1)


def downgrade() -> None:
    execute("drop function prune_versions(interval, integer, text); drop table training_runs")
