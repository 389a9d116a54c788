"""What keeps candles coming: the feed's state, the archives that were loaded, gaps, and a view over all of it.

Revises: 0010
"""

from db.migrations.objects import create, execute

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("feed_status", version=1)
    create("loaded_archives", version=1)
    create("candle_gaps", version=1)
    create("candle_status", version=1)


def downgrade() -> None:
    execute("""
    drop view candle_status; drop function candle_gaps(text, timestamptz, timestamptz);
    drop table loaded_archives; drop table feed_status;
    """)
