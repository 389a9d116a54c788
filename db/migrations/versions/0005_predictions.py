"""Predictions and the runs that make them, the calls, outcomes, hourly sums, and how often they were right.

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
    create("predictions/prediction_hours", version=1)
    create("predictions/run_hours", version=1)
    create("predictions/predictions_by_hour", version=1)
    create("predictions/runs_by_hour", version=1)
    create("predictions/summarise_hours", version=1)
    create("predictions/prune_history", version=1)
    create("predictions/wilson_interval", version=1)
    create("predictions/accuracy_by_coverage", version=1)
    create("predictions/accuracy_24h", version=1)
    create("predictions/accuracy_hourly", version=1)


def downgrade() -> None:
    if hours := scalar("select count(*) from prediction_hours"):
        notice(f"the hourly sums go: {hours} rows of prediction_hours, with those of predictions that were pruned")
    execute("""
    drop view accuracy_hourly; drop view accuracy_24h; drop view accuracy_by_coverage;
    drop function wilson_interval(double precision, double precision);
    drop procedure prune_history(integer);
    drop procedure summarise_hours(timestamptz);
    drop function runs_by_hour(timestamptz, timestamptz);
    drop function predictions_by_hour(text, timestamptz, timestamptz);
    drop table run_hours; drop table prediction_hours;
    drop view predicted_symbols; drop view latest_predictions; drop view prediction_outcomes;
    drop procedure run_inference(timestamptz);
    drop function predict_range(text, timestamptz, timestamptz, bigint);
    drop function predict(text, timestamptz, bigint);
    drop function predict_now(text);
    drop type forecast;
    drop table inference_runs; drop table predictions;
    """)
