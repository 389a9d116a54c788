"""Daily measurements: how far features have drifted, and whether predictions come out again.

Revises: 0012
"""

from db.migrations.extensions import notice, pg_cron_is_here
from db.migrations.objects import create, execute

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

JOBS = ("candlecast-drift", "candlecast-consistency", "candlecast-prune-measurements")


def upgrade() -> None:
    create("feature_drift", version=1)
    create("consistency_checks", version=1)
    create("measure_drift", version=1)
    create("check_consistency", version=1)
    create("prune_measurements", version=1)
    create("monitoring_metrics", version=1)
    create("metrics", version=2)
    if pg_cron_is_here():
        create("monitoring_jobs", version=1)
    else:
        notice(f"the jobs {', '.join(JOBS)} are not scheduled: pg_cron is not in this database")


def downgrade() -> None:
    if pg_cron_is_here():
        execute(f"delete from cron.job where jobname in {JOBS} and database = current_database()")
    create("metrics", version=1)
    execute("""
    drop function monitoring_metrics(); drop function prune_measurements();
    drop function check_consistency(date); drop function measure_drift(date);
    drop table consistency_checks; drop table feature_drift;
    """)
