"""pg_cron's jobs, if pg_cron is in this database.

The second step of the topic admin: the jobs call functions of all topics.

Revises: 0007
"""

from db.migrations.extensions import notice, pg_cron_is_here
from db.migrations.objects import create, execute

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if pg_cron_is_here():
        create("admin/jobs", version=1)
    else:
        notice("no jobs are scheduled: pg_cron is not in this database")


def downgrade() -> None:
    if pg_cron_is_here():
        execute("delete from cron.job where jobname like 'candlecast-%' and database = current_database()")
        execute("revoke usage on schema cron from candlecast_cron")
