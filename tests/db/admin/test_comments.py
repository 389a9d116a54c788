"""Every table, view, column, type and function of candlecast has a comment, which psql and pg_dump show."""

import pytest

UNCOMMENTED = """
with ours as (
    select 'pg_class'::regclass as catalog, pg_class.oid, 0 as part, relname::text as name
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select 'pg_class'::regclass, attrelid, attnum, relname || '.' || attname
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f', 'c')
    and attnum > 0 and not attisdropped
    union all
    select 'pg_type'::regclass, pg_type.oid, 0, 'type ' || typname
    from pg_type left join pg_class on pg_class.oid = typrelid
    where typnamespace = 'public'::regnamespace and typelem = 0 and (typrelid = 0 or relkind = 'c')
    union all
    select 'pg_proc'::regclass, oid, 0, oid::regprocedure::text
    from pg_proc where pronamespace = 'public'::regnamespace
)
select ours.name
from ours left join pg_description on classoid = catalog and objoid = oid and objsubid = part
where coalesce(description, '') = ''
and not exists (select from pg_depend where classid = catalog and objid = oid and deptype = 'e')
order by ours.name
"""
COLUMN_COMMENTS = """
select relname || '.' || attname, description
from pg_description join pg_class on pg_class.oid = objoid join pg_attribute on attrelid = objoid and attnum = objsubid
where classoid = 'pg_class'::regclass and objsubid > 0 and relnamespace = 'public'::regnamespace
"""


def uncommented(db) -> list[str]:
    return [name for (name,) in db.execute(UNCOMMENTED).fetchall()]


def test_every_object_has_a_comment(db):
    assert uncommented(db) == []


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("create view mine as select 1 as one; comment on column mine.one is 'One.'", "mine"),
        ("comment on column predictions.horizon is null", "predictions.horizon"),
        ("comment on column forecast.horizon is null", "forecast.horizon"),
        ("comment on type forecast is null", "type forecast"),
        ("comment on function predict_now is null", "predict_now(text)"),
        ("comment on procedure run_inference is null", "run_inference(timestamp with time zone)"),
        (
            "comment on aggregate paired_moments(float8, float8) is null",
            "paired_moments(double precision,double precision)",
        ),
    ],
)
def test_a_missing_comment_is_found_by_name(shared_db, statement, name):
    shared_db.execute(statement)
    assert uncommented(shared_db) == [name]


def test_comments_of_columns_are_short_lines(db):
    """They are cells of a table in psql."""
    found = db.execute(COLUMN_COMMENTS).fetchall()
    assert len(found) > 400
    assert [name for name, text in found if len(text) > 120 or "\n" in text or not text.endswith(".")] == []
