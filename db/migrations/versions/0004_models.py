"""Model versions, their bytes, ensembles, and settings.

Revises: 0003
"""

from db.migrations.objects import create, execute

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("model_versions", version=1)
    create("active_ensembles", version=1)
    create("ml_settings", version=1)


def downgrade() -> None:
    execute(
        "drop table ml_settings; drop table active_ensembles; drop table model_artifacts; drop table model_versions"
    )
