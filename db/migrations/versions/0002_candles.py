"""candles_1m, created or adopted; state of the feed, loaded archives, gaps, generated candles.

Revises: 0001
"""

from db.migrations import adoption
from db.migrations.objects import create, execute, scalar

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_new = scalar("select to_regclass('public.candles_1m')") is None
    if not is_new:
        adoption.adopt()
        execute("set local client_min_messages = warning")  # no notice that the table exists
    create("candles/candles_1m", version=1)
    execute("set local client_min_messages to default")
    if is_new:
        execute("alter table candles_1m owner to candlecast_owner")
    else:
        adoption.restore_comments()
    create("candles/feed_status", version=1)
    create("candles/loaded_archives", version=1)
    create("candles/candle_symbols", version=1)
    create("candles/candle_gaps", version=1)
    create("candles/generate_demo_candles", version=1)


def downgrade() -> None:
    execute("""
    drop function generate_demo_candles(timestamptz, integer);
    drop function candle_gaps(text, timestamptz, timestamptz); drop view candle_symbols;
    drop table loaded_archives; drop table feed_status;
    """)
    if adoption.was_adopted():
        adoption.release()
    else:
        execute("drop table candles_1m")
