"""Calibrated ensembles: probabilities, intervals, abstention, what lies outside of training; warnings of old models.

Revises: 0007
"""

from db.migrations.objects import create, execute

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The table is made anew from its file of either version, with the values that it had.
SET_ASIDE = "create temp table kept as select name, value from public.ml_settings; drop table public.ml_settings"
BRING_BACK = """
update ml_settings set value = kept.value from kept where kept.name = ml_settings.name;
drop table kept
"""


def upgrade() -> None:
    create("active_ensembles", version=2)
    execute("drop function create_ensemble(bigint, bigint, double precision, boolean, text)")
    create("create_ensemble", version=2)
    create("withdraw_ensemble", version=1)
    create("forecast", version=2)
    create("predictions", version=2)
    create("inference_runs", version=2)
    create("prediction_outcomes", version=2)
    create("latest_predictions", version=2)
    create("accuracy_by_coverage", version=1)
    execute(SET_ASIDE)
    create("ml_settings", version=2)
    execute(BRING_BACK)
    create("ml_setting", version=1)


def downgrade() -> None:
    execute("drop function ml_setting(text)")
    execute(SET_ASIDE)
    create("ml_settings", version=1)
    execute(BRING_BACK)
    execute("drop view accuracy_by_coverage; drop view latest_predictions; drop view prediction_outcomes")
    execute("""
    alter table inference_runs drop column warning;
    alter table predictions
        drop column probability_up, drop column lower_price, drop column upper_price,
        drop column abstained, drop column out_of_distribution, drop column furthest_feature;
    alter type forecast
        drop attribute probability_up, drop attribute lower_price, drop attribute upper_price,
        drop attribute abstained, drop attribute out_of_distribution, drop attribute furthest_feature;
    """)
    create("prediction_outcomes", version=1)
    create("latest_predictions", version=1)
    execute("""
    drop function withdraw_ensemble(bigint);
    drop function create_ensemble(bigint, bigint, double precision, boolean, text, text, jsonb);
    """)
    create("create_ensemble", version=1)
    # Refused by PostgreSQL, with their names, where two ensembles differ in nothing but their calibration.
    execute("""
    alter table active_ensembles
        add unique nulls not distinct (symbol, mamba_version_id, lgbm_version_id, mamba_weight),
        drop column calibration, drop column calibration_sha256, drop column golden
    """)
