"""Model versions with their files, ensembles and the functions that change their state, training runs.

Revises: 0003
"""

from db.migrations.objects import create, execute

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("models/model_versions", version=1)
    create("models/model_artifacts", version=1)
    create("models/active_ensembles", version=1)
    create("models/training_runs", version=1)
    create("models/register_model", version=1)
    create("models/create_ensemble", version=1)
    create("models/activate_ensemble", version=1)
    create("models/rollback_ensemble", version=1)
    create("models/test_ensemble", version=1)
    create("models/withdraw_ensemble", version=1)
    create("models/prune_versions", version=1)
    create("models/out_of_sample_from", version=1)


def downgrade() -> None:
    execute("""
    drop function out_of_sample_from(bigint);
    drop function prune_versions(interval, integer, text);
    drop function withdraw_ensemble(bigint);
    drop function test_ensemble(bigint);
    drop function rollback_ensemble(text);
    drop function activate_ensemble(bigint);
    drop function create_ensemble(bigint, bigint, double precision, boolean, text, text, jsonb);
    drop function register_model(text, text, text, text, jsonb, text[], bytea[]);
    drop table training_runs; drop table active_ensembles; drop table model_artifacts; drop table model_versions;
    """)
