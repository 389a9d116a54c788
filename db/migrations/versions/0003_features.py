"""The features as a function and a view over candles_1m.

Revises: 0002
"""

from db.migrations.objects import create, execute

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create("features/decayed_sums_add", version=1)
    create("features/decayed_sums_remove", version=1)
    create("features/decayed_sums", version=1)
    create("features/paired_moments", version=1)
    create("features/features_between", version=1)
    create("features/features_1m", version=1)


def downgrade() -> None:
    execute("""
    drop view features_1m;
    drop function features_between(text, timestamptz, timestamptz);
    drop aggregate paired_moments(double precision, double precision);
    drop aggregate decayed_sums(double precision, double precision, double precision);
    drop function decayed_sums_remove(double precision[], double precision, double precision, double precision);
    drop function decayed_sums_add(double precision[], double precision, double precision, double precision);
    """)
