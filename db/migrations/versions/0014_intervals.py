"""health() and metrics() say more: runs that do not begin, candles of the future, intervals, when models expire.

Wilson's interval is one function.

Revises: 0013
"""

from db.migrations.objects import create, execute

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


# Columns are as they were, so that each is replaced in place, whatever was made of it.
def upgrade() -> None:
    create("wilson_interval", version=1)
    create("accuracy_by_coverage", version=2)
    create("ensemble_leaderboard", version=2)
    create("accuracy_hourly", version=2)
    create("accuracy_24h", version=2)
    create("candle_status", version=2)
    create("symbol_health", version=2)
    create("health", version=2)
    create("inference_metrics", version=2)
    create("monitoring_metrics", version=2)


def downgrade() -> None:
    create("accuracy_by_coverage", version=1)
    create("ensemble_leaderboard", version=1)
    create("accuracy_hourly", version=1)
    create("accuracy_24h", version=1)
    create("candle_status", version=1)
    create("symbol_health", version=1)
    create("health", version=1)
    create("inference_metrics", version=1)
    create("monitoring_metrics", version=1)
    execute("drop function wilson_interval(double precision, double precision)")
