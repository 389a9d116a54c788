"""The calls: forecasts, the minute's run, the registry, and generated candles for DEMO.

Revises: 0005
"""

from db.migrations.objects import create, execute

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("forecast", version=1)
    create("predict_now", version=1)
    create("predict", version=1)
    create("predict_range", version=1)
    create("run_inference", version=1)
    create("register_model", version=1)
    create("create_ensemble", version=1)
    create("activate_ensemble", version=1)
    create("rollback_ensemble", version=1)
    create("generate_demo_candles", version=1)


def downgrade() -> None:
    execute("""
    drop function generate_demo_candles(timestamptz, integer);
    drop function rollback_ensemble(text);
    drop function activate_ensemble(bigint);
    drop function create_ensemble(bigint, bigint, double precision, boolean, text);
    drop function register_model(text, text, text, text, jsonb, text[], bytea[]);
    drop procedure run_inference(timestamptz);
    drop function predict_range(text, timestamptz, timestamptz, bigint);
    drop function predict(text, timestamptz, bigint);
    drop function predict_now(text);
    drop type forecast;
    """)
