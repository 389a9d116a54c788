"""Daily measurements of drift and consistency, completeness of the candles, health and metrics.

Revises: 0006
"""

from db.migrations.objects import create, execute

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("monitoring/feature_drift", version=1)
    create("monitoring/consistency_checks", version=1)
    create("monitoring/measure_drift", version=1)
    create("monitoring/check_consistency", version=1)
    create("monitoring/prune_measurements", version=1)
    create("monitoring/candle_status", version=1)
    create("monitoring/freshness_limits", version=1)
    create("monitoring/symbol_health", version=1)
    create("monitoring/health", version=1)
    create("monitoring/inference_metrics", version=1)
    create("monitoring/data_metrics", version=1)
    create("monitoring/monitoring_metrics", version=1)
    create("monitoring/metrics", version=1)


def downgrade() -> None:
    execute("""
    drop function metrics(); drop function monitoring_metrics(); drop function data_metrics();
    drop function inference_metrics(); drop function health(text);
    drop view symbol_health; drop view freshness_limits; drop view candle_status;
    drop function prune_measurements();
    drop function check_consistency(date); drop function measure_drift(date);
    drop table consistency_checks; drop table feature_drift;
    """)
