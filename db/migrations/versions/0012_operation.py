"""What operating it needs: hourly sums, health, metrics, and settings for how long history stays.

Revises: 0011
"""

from db.migrations.extensions import notice, pg_cron_is_here
from db.migrations.objects import create, execute, scalar

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# The table is made anew from its file of either version, with the values that it had.
SET_ASIDE = "create temp table kept as select name, value from public.ml_settings; drop table public.ml_settings"
BRING_BACK = """
update ml_settings set value = kept.value from kept where kept.name = ml_settings.name;
drop table kept
"""
# The jobs of before: cron_jobs_v01.sql has the pruning that was fixed.
PRUNED_BEFORE = """
select cron.schedule_in_database(
    'candlecast-prune', '41 2 * * *',
    $job$
    delete from cron.job_run_details where end_time < now() - interval '30 days';
    delete from public.inference_runs where started_at < now() - interval '30 days';
    $job$,
    current_database(), 'candlecast_cron'
)"""
UNSCHEDULE = """
delete from cron.job
where jobname in ('candlecast-prune', 'candlecast-summarise') and database = current_database()"""


def upgrade() -> None:
    # These open subtransactions, which no parallel plan allows; until now they claimed otherwise.
    create("ml_setting", version=2)
    create("predict", version=2)
    create("predict_range", version=2)
    create("preview_ab", version=2)
    execute(SET_ASIDE)
    create("ml_settings", version=4)
    execute(BRING_BACK)
    create("predicted_symbols", version=1)
    create("prediction_hours", version=1)
    create("run_hours", version=1)
    create("predictions_by_hour", version=1)
    create("runs_by_hour", version=1)
    create("summarise_hours", version=1)
    create("prune_history", version=1)
    create("accuracy_hourly", version=1)
    create("accuracy_24h", version=1)
    create("symbol_health", version=1)
    create("health", version=1)
    create("inference_metrics", version=1)
    create("data_metrics", version=1)
    create("metrics", version=1)
    if pg_cron_is_here():
        execute(UNSCHEDULE)
        create("operation_jobs", version=1)
    else:
        notice("the jobs candlecast-summarise and candlecast-prune are not scheduled: pg_cron is not in this database")


def downgrade() -> None:
    if hours := scalar("select count(*) from prediction_hours"):
        notice(f"the hourly sums go: {hours} rows of prediction_hours, with those of predictions that were pruned")
    if pg_cron_is_here():
        execute(UNSCHEDULE)
        execute(PRUNED_BEFORE)
    execute("""
    drop function metrics(); drop function data_metrics(); drop function inference_metrics();
    drop function health(text); drop view symbol_health; drop view accuracy_24h; drop view accuracy_hourly;
    drop procedure prune_history(integer); drop procedure summarise_hours(timestamptz);
    drop function runs_by_hour(timestamptz, timestamptz);
    drop function predictions_by_hour(text, timestamptz, timestamptz);
    drop table run_hours; drop table prediction_hours; drop view predicted_symbols;
    revoke delete on predictions from candlecast_cron;
    """)
    execute(SET_ASIDE)
    create("ml_settings", version=3)
    execute(BRING_BACK)
    create("ml_setting", version=1)
    create("predict", version=1)
    create("predict_range", version=1)
    create("preview_ab", version=1)
