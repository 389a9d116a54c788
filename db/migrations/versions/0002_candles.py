"""candles_1m, made or adopted.

Revises: 0001
"""

from db.migrations import adoption
from db.migrations.objects import create, execute, scalar

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if scalar("select to_regclass('public.candles_1m')") is None:
        create("candles_1m", version=1)
        execute("alter table candles_1m owner to candlecast_owner")
    else:
        adoption.adopt()
    create("candles_1m_rights", version=1)


def downgrade() -> None:
    if adoption.adopted():
        adoption.release()
    else:
        execute("drop table candles_1m")
