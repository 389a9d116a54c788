"""An existing candles_1m is adopted with its rows and restored by the downgrade, or refused with all reasons."""

import psycopg
import pytest
from alembic.util import CommandError

from tests.support.databases import alembic
from tests.support.golden_files import dump
from tests.support.migrations import migrate

TABLE = """
create table candles_1m (
    symbol text not null default 'BTCUSDT',
    open_time timestamptz not null,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    volume double precision not null,
    quote_asset_volume double precision not null,
    taker_buy_base_asset_volume double precision not null,
    taker_buy_quote_asset_volume double precision not null,
    number_of_trades bigint not null,
    primary key (symbol, open_time)
);"""
ROWS = """
insert into candles_1m (
    symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades
)
select 'OLD', timestamptz '2026-01-01 00:00+00' + minute * interval '1 minute', 100, 102, 99, 101, 2, 202, 1, 101, 5
from generate_series(0, 219) as minute;"""


def changed(old: str, new: str) -> str:
    """TABLE with one piece replaced, which must occur in it."""
    assert old in TABLE
    return TABLE.replace(old, new)


def definition(dumped: str) -> list[str]:
    """The lines of a dump without their order (restored rights come last) and without the values of sequences."""
    return sorted(line for line in dumped.splitlines() if "setval" not in line)


@pytest.fixture
def old_database(make_database):
    """old_database(ddl) -> URL of a database with that table, and an administrator's connection to it."""
    connections = []

    def make(ddl: str) -> tuple[str, psycopg.Connection]:
        url = make_database()
        db = psycopg.connect(url, autocommit=True)
        connections.append(db)
        db.execute(ddl)
        return url, db

    yield make
    for db in connections:
        db.close()


ADOPTED = {
    "the raw columns": TABLE + ROWS,
    "no rows": TABLE,
    "character varying": changed("symbol text not null default 'BTCUSDT'", "symbol varchar(20) not null") + ROWS,
    "no default": changed(" default 'BTCUSDT'", "") + ROWS,
    "another default": changed("'BTCUSDT'", "'ETHUSDT'") + ROWS,
    "integer trades": changed("number_of_trades bigint", "number_of_trades integer") + ROWS,
    "spread_bps exists": changed("bigint not null,", "bigint not null, spread_bps double precision,") + ROWS,
    "columns of its own": changed("bigint not null,", "bigint not null, source text default 'feed',") + ROWS,
    "comments of its own": TABLE
    + ROWS
    + "comment on table candles_1m is 'Mine: it''s 100 %'; comment on column candles_1m.close is 'last :price';",
    "no key": changed("bigint not null,\n    primary key (symbol, open_time)", "bigint not null") + ROWS,
    "no key, nothing not null": changed("bigint not null,\n    primary key (symbol, open_time)", "bigint").replace(
        " not null", ""
    )
    + ROWS,
    "another primary key": changed("primary key (symbol", "id serial primary key, unique (symbol") + ROWS,
    "the key in reverse order": changed("(symbol, open_time)", "(open_time, symbol)") + ROWS,
    "a key on more columns": changed("(symbol, open_time)", "(symbol, open_time, close)") + ROWS,
    "a unique index": changed(",\n    primary key (symbol, open_time)", "")
    + "create unique index on candles_1m (symbol, open_time);"
    + ROWS,
    "a partial unique index": changed(",\n    primary key (symbol, open_time)", "")
    + "create unique index on candles_1m (symbol, open_time) where close > 0;"
    + ROWS,
    "a check of its own": changed("primary key", "check (close < 1e9), primary key") + ROWS,
    "partitions": changed("\n);", "\n) partition by range (open_time);")
    + "create table candles_2026 partition of candles_1m for values from ('2026-01-01') to ('2027-01-01');"
    + ROWS,
    "rights": TABLE
    + ROWS
    + "grant select on candles_1m to public; grant update (close), select (open) on candles_1m to public;"
    "grant insert on candles_1m to pg_monitor with grant option;",
}


@pytest.mark.parametrize("ddl", ADOPTED.values(), ids=ADOPTED.keys())
def test_an_adopted_table_is_used_and_restored(old_database, ddl):
    url, db = old_database(ddl)
    before, owner = dump(url), db.execute("select relowner from pg_class where relname = 'candles_1m'").fetchone()
    rows = db.execute("select count(*) from candles_1m").fetchone()[0]

    migrate(url, "head")
    assert db.execute("select count(*), count(taker_buy_ratio) from candles_1m").fetchone() == (rows, rows)
    assert db.execute("select relowner from pg_class where relname = 'candles_1m'").fetchone() == owner
    assert db.execute("select has_table_privilege('public', 'candles_1m', 'select')").fetchone() == (False,)
    features = "select count(*), count(distinct symbol) from features_1m"
    assert db.execute(features).fetchone() == ((71, 1) if rows else (0, 0))
    with db.transaction():
        db.execute("set local role candlecast_feeder")
        assert db.execute(f"{ROWS.rstrip(';')} on conflict (symbol, open_time) do nothing").rowcount == 220 - rows
        assert db.execute("update candles_1m set close = 101 where symbol = 'OLD'").rowcount == 220
    with pytest.raises(psycopg.errors.CheckViolation), db.transaction():
        db.execute("update candles_1m set high = 'NaN'")
    if not rows:
        db.execute("delete from candles_1m")

    migrate(url, "base")
    assert definition(dump(url)) == definition(before)


def test_a_table_of_candlecast_owner_is_kept(old_database, template):
    """As after pg_restore. The template makes sure that the role exists."""
    url, _ = old_database(TABLE + ROWS + "alter table candles_1m owner to candlecast_owner")
    before = dump(url)
    migrate(url, "head")
    done = alembic(url, "downgrade", "base")
    assert done.returncode == 0, done.stderr
    assert "role candlecast_owner is kept because it is in use: owner of table candles_1m" in done.stderr
    assert definition(dump(url)) == definition(before)


def test_earlier_rights_of_our_roles_are_restored(old_database, template):
    url, _ = old_database(TABLE + "grant select, delete on candles_1m to candlecast_reader")
    before = dump(url)
    migrate(url, "head")
    migrate(url, "base")
    assert definition(dump(url)) == definition(before)


def comments(db: psycopg.Connection) -> dict[str, str]:
    """Of the table ("candles_1m") and its columns, where there are any."""
    rows = db.execute("""
        select coalesce(attname, 'candles_1m'), description
        from pg_description left join pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0
        where classoid = 'pg_class'::regclass and objoid = 'candles_1m'::regclass
    """)
    return dict(rows.fetchall())


def test_comments_of_the_user_are_kept_and_the_rest_added(old_database):
    url, db = old_database(
        TABLE
        + """
        alter table candles_1m add column "Their ""own" text;
        comment on column candles_1m."Their ""own" is 'odd';
        comment on column candles_1m.close is 'theirs';
    """
    )
    theirs = comments(db)
    migrate(url, "head")
    assert comments(db) | theirs == comments(db)
    assert comments(db)["candles_1m"].startswith("Closed one-minute candles")
    assert len(comments(db)) == 1 + 13 + 1
    db.execute("comment on column candles_1m.open is 'written later'")
    migrate(url, "base")
    assert comments(db) == theirs | {"open": "written later"}


def row(**values: str) -> str:
    """SQL that makes the first minute's row invalid."""
    changes = ", ".join(f"{name} = {value}" for name, value in values.items())
    return f"update candles_1m set {changes} where open_time = '2026-01-01 00:00+00';"


FIRST = "OLD 2026-01-01 00:00:00"
LOOSE = changed(",\n    primary key (symbol, open_time)", "").replace(" not null", "") + ROWS
REFUSED = {
    # given: a problem -> expect: every line that reports it
    "NaN": (TABLE + ROWS + row(close="'NaN'"), [f"1 rows violate candles_1m_prices_positive: {FIRST}"]),
    "infinite": (TABLE + ROWS + row(volume="'inf'"), [f"1 rows violate candles_1m_volumes_finite: {FIRST}"]),
    "high below low": (
        TABLE + ROWS + row(high="90"),
        [f"1 rows violate candles_1m_prices_within_high_and_low: {FIRST}"],
    ),
    "taker volume above volume": (
        TABLE + ROWS + row(taker_buy_base_asset_volume="3", volume="1e-320"),
        [f"1 rows violate candles_1m_taker_volumes_within_volumes: {FIRST}"],
    ),
    "off the minute": (
        TABLE + ROWS + row(open_time="'2026-01-01 00:00:01+00'"),
        ["1 rows violate candles_1m_open_time_on_the_minute: OLD 2026-01-01 00:00:01"],
    ),
    "infinite time": (
        TABLE + ROWS + row(open_time="'infinity'"),
        ["1 rows violate candles_1m_open_time_on_the_minute: OLD infinity"],
    ),
    "nulls": (
        LOOSE + row(close="null", number_of_trades="null"),
        [f"1 rows have null in close: {FIRST}", f"1 rows have null in number_of_trades: {FIRST}"],
    ),
    "a row without symbol and time": (
        LOOSE + row(symbol="null", open_time="null"),
        ["1 rows have null in symbol: no symbol no time", "1 rows have null in open_time: no symbol no time"],
    ),
    "many rows": (
        TABLE + ROWS + "update candles_1m set low = -1;",
        [f"220 rows violate candles_1m_prices_positive: {FIRST}, OLD 2026-01-01 00:01:00, OLD 2026-01-01 00:02:00, "],
    ),
    "duplicates": (
        LOOSE + ROWS + "delete from candles_1m where open_time > '2026-01-01 00:01+00';",
        [f"2 minutes have several rows: {FIRST}, OLD 2026-01-01 00:01:00"],
    ),
    "several faults at once": (
        LOOSE + row(close="null", high="'-inf'"),
        [f"1 rows have null in close: {FIRST}", f"1 rows violate candles_1m_prices_within_high_and_low: {FIRST}"],
    ),
    "a negative spread": (
        TABLE + ROWS + "alter table candles_1m add column spread_bps double precision;" + row(spread_bps="-1"),
        [f"1 rows violate candles_1m_spread_finite: {FIRST}"],
    ),
    "numeric prices": (
        TABLE.replace("double precision", "numeric(20, 8)") + ROWS,
        [
            f"column {name} is numeric(20,8), not double precision"
            for name in ("open", "high", "low", "close", "volume", "quote_asset_volume")
        ],
    ),
    "time without time zone": (
        changed("timestamptz", "timestamp") + ROWS,
        ["column open_time is timestamp without time zone, not timestamp with time zone"],
    ),
    "missing columns": (
        "create table candles_1m (symbol text, open_time timestamptz, open float, high float, low float, close float)",
        [
            "column volume is missing (type double precision)",
            "column taker_buy_base_asset_volume is missing (type double precision)",
            "column number_of_trades is missing (type bigint)",
        ],
    ),
    "a plain taker_buy_ratio": (
        TABLE + "alter table candles_1m add column taker_buy_ratio double precision",
        ["column taker_buy_ratio must be generated: drop it, the upgrade adds it"],
    ),
    "another formula": (
        TABLE + "alter table candles_1m add column taker_buy_ratio double precision"
        " generated always as (taker_buy_base_asset_volume / nullif(volume, 0)) stored",
        ["column taker_buy_ratio has another expression: drop it, the upgrade adds it as generated always as ( CASE"],
    ),
    "a generated close": (
        changed("close double precision not null", "close double precision generated always as (open) stored"),
        ["column close must be a plain column"],
    ),
    "another check of that name": (
        TABLE + "alter table candles_1m add constraint candles_1m_symbol_named check (symbol <> 'x')",
        ["constraint candles_1m_symbol_named is CHECK ((symbol <> 'x'::text)), not CHECK ((symbol ~ "],
    ),
    "a view": ("create view candles_1m as select 'X' as symbol", ["it is not a table"]),
}


@pytest.mark.parametrize(("ddl", "reasons"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_lists_all_reasons_and_changes_nothing(old_database, ddl, reasons):
    url, db = old_database(ddl)
    before = dump(url)
    roles = db.execute("select array_agg(rolname::text order by rolname) from pg_roles").fetchone()
    with pytest.raises(CommandError) as refusal:
        migrate(url, "head")
    lines = str(refusal.value).splitlines()
    assert lines[0] == "candles_1m exists and cannot be adopted. Nothing was changed."
    for reason in reasons:
        assert any(line.startswith(f"  - {reason}") for line in lines), refusal.value
    assert dump(url) == before
    assert db.execute("select to_regclass('candlecast_version')").fetchone() == (None,)
    assert db.execute("select array_agg(rolname::text order by rolname) from pg_roles").fetchone() == roles


def test_the_command_prints_it_without_a_traceback(old_database):
    url, _ = old_database(TABLE + ROWS + row(close="'NaN'"))
    done = alembic(url, "upgrade", "head")
    assert done.returncode != 0
    assert f"candles_1m_prices_positive: {FIRST}" in done.stdout + done.stderr
    assert "Correct these rows and columns, or rename the table." in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
