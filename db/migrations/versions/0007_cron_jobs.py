"""Inference every minute and a daily pruning, where pg_cron is.

Revises: 0006
"""

from db.migrations.extensions import notice, pg_cron_is_here
from db.migrations.objects import create, execute

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if pg_cron_is_here():
        execute("grant usage on schema cron to candlecast_cron")
        create("cron_jobs", version=1)
    else:
        notice("the jobs candlecast-inference and candlecast-prune are not scheduled: pg_cron is not in this database")


def downgrade() -> None:
    if pg_cron_is_here():
        execute("delete from cron.job where jobname like 'candlecast-%' and database = current_database()")
        execute("revoke usage on schema cron from candlecast_cron")
