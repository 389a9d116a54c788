"""Predictions, their outcomes, and the log of runs.

Revises: 0004
"""

from db.migrations.objects import create, execute

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("predictions", version=1)
    create("inference_runs", version=1)
    create("prediction_outcomes", version=1)
    create("latest_predictions", version=1)


def downgrade() -> None:
    execute("drop view latest_predictions; drop view prediction_outcomes; drop table inference_runs, predictions")
