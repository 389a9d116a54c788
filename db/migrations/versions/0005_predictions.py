"""Predictions, runs, the functions that predict, outcomes, hourly sums and accuracy.

Revises: 0004
"""

from db.migrations.extensions import notice
from db.migrations.objects import create, execute, scalar

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("predictions/predictions", version=1)
    create("predictions/inference_runs", version=1)
    create("predictions/forecast", version=1)
    create("predictions/predict_now", version=1)
    create("predictions/predict", version=1)
    create("predictions/predict_range", version=1)
    create("predictions/run_inference", version=1)
    create("predictions/prediction_outcomes", version=1)
    create("predictions/latest_predictions", version=1)
    create("predictions/predicted_symbols", version=1)
    create("predictions/predictions_hourly", version=1)
    create("predictions/runs_hourly", version=1)
    create("predictions/aggregate_predictions_hourly", version=1)
    create("predictions/aggregate_runs_hourly", version=1)
    create("predictions/aggregate_hours", version=1)
    create("predictions/prune_history", version=1)
    create("predictions/wilson_interval", version=1)
    create("predictions/accuracy_by_coverage", version=1)
    create("predictions/accuracy_24h", version=1)
    create("predictions/accuracy_hourly", version=1)


def downgrade() -> None:
    if hours := scalar("select count(*) from predictions_hourly"):
        notice(f"dropping predictions_hourly with {hours} rows, also of hours whose predictions were pruned")
    execute("""
    drop view accuracy_hourly; drop view accuracy_24h; drop view accuracy_by_coverage;
    drop function wilson_interval(double precision, double precision);
    drop procedure prune_history(integer);
    drop procedure aggregate_hours(timestamptz);
    drop function aggregate_runs_hourly(timestamptz, timestamptz);
    drop function aggregate_predictions_hourly(text, timestamptz, timestamptz);
    drop table runs_hourly; drop table predictions_hourly;
    drop view predicted_symbols; drop view latest_predictions; drop view prediction_outcomes;
    drop procedure run_inference(timestamptz);
    drop function predict_range(text, timestamptz, timestamptz, bigint);
    drop function predict(text, timestamptz, bigint);
    drop function predict_now(text);
    drop type forecast;
    drop table inference_runs; drop table predictions;
    """)
