"""Takes over a candles_1m that was there before, and gives it back unharmed.

What the table must look like is read from `candles_1m_v01.sql` itself, created for a moment in a schema of its own.
"""

from alembic.util import CommandError

from db.migrations import notes
from db.migrations.objects import FUNCTIONS, execute, scalar

NOTE = "candles_1m_adopted"
#: Columns that an older table may lack: they are added, and taken away again.
ADDABLE = ("spread_bps", "taker_buy_ratio")
#: Types that serve as well as the one in the file.
ACCEPTED = {"text": ("text", "character varying"), "bigint": ("bigint", "integer")}


def adopted() -> bool:
    """Whether the table was there before candlecast."""
    return notes.read(NOTE) is not None


def adopt() -> None:
    """Check columns, keys and rows, listing all that is wrong; then add what is missing. Raises CommandError."""
    execute("create schema candlecast_adoption; set local search_path = candlecast_adoption")
    execute((FUNCTIONS / "candles_1m_v01.sql").read_text())
    execute("set local search_path = public")
    wanted, found = _columns("candlecast_adoption"), _columns("public")
    checks = execute("""
        select conname, pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'candlecast_adoption.candles_1m'::regclass and contype = 'c' order by conname
    """).all()
    execute("drop schema candlecast_adoption cascade")
    _refuse_if(_column_problems(wanted, found))
    added = [name for name in ADDABLE if name not in found]
    for name in added:
        execute(f"alter table candles_1m add column {name} {wanted[name].type} {wanted[name].expression}")
    _refuse_if(_row_problems(wanted, checks))
    tightened = [name for name, column in wanted.items() if column.required and not _columns("public")[name].required]
    for name in tightened:
        execute(f"alter table candles_1m alter column {name} set not null")
    key = _has_key()
    if not key:
        execute("alter table candles_1m add constraint candles_1m_symbol_and_time primary key (symbol, open_time)")
    here = {row[0] for row in execute("select conname from pg_constraint where conrelid = 'candles_1m'::regclass")}
    constraints = [name for name, _ in checks if name not in here]
    for name, definition in checks:
        if name in constraints:
            execute(f"alter table candles_1m add constraint {name} {definition}")
    if not key:
        constraints.append("candles_1m_symbol_and_time")
    default = scalar("""
        select pg_get_expr(adbin, adrelid) from pg_attrdef join pg_attribute
        on attrelid = adrelid and attnum = adnum
        where adrelid = 'candles_1m'::regclass and attname = 'symbol'
    """)
    if default is None:
        execute("alter table candles_1m alter column symbol set default 'BTCUSDT'")
    notes.write(
        NOTE, {"columns": added, "constraints": constraints, "not_null": tightened, "default_set": default is None}
    )


def release() -> None:
    """Undo what `adopt` did; the table and its rows stay."""
    note = notes.read(NOTE)
    for name in note["constraints"]:
        execute(f"alter table candles_1m drop constraint if exists {name}")
    for name in note["not_null"]:
        execute(f"alter table candles_1m alter column {name} drop not null")
    for name in note["columns"]:
        execute(f"alter table candles_1m drop column {name}")
    if note["default_set"]:
        execute("alter table candles_1m alter column symbol drop default")
    roles = "candlecast_owner, candlecast_cron, candlecast_feeder, candlecast_trainer, candlecast_operator"
    execute(f"revoke all on table candles_1m from {roles}, candlecast_reader")
    notes.forget(NOTE)


def _columns(schema: str) -> dict:
    rows = execute(f"""
        select
            attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required,
            attgenerated <> '' as generated,
            case when attgenerated <> ''
                then format('generated always as (%s) stored', pg_get_expr(adbin, adrelid)) else '' end as expression
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = '{schema}.candles_1m'::regclass and attnum > 0 and not attisdropped
        order by attnum
    """)
    return {row.name: row for row in rows}


def _column_problems(wanted: dict, found: dict) -> list[str]:
    problems = []
    for name, column in wanted.items():
        if name not in found:
            if name not in ADDABLE:
                problems.append(f"column {name} is missing (it is {column.type})")
            continue
        if found[name].type.split("(")[0] not in ACCEPTED.get(column.type, (column.type,)):
            problems.append(f"column {name} is {found[name].type}, not {column.type}")
        if found[name].generated != column.generated:
            problems.append(f"column {name} must be {'generated: drop it, it is added' if column.generated else 'plain'}")
    return problems


def _row_problems(wanted: dict, checks: list) -> list[str]:
    conditions = [(f"{name} is null", f"{name} is null") for name, column in wanted.items() if column.required]
    conditions += [(name, f"not {definition.removeprefix('CHECK ')}") for name, definition in checks]
    problems = []
    for name, condition in conditions:
        rows = execute(f"""
            select symbol || ' ' || coalesce(to_char(open_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'no time'),
                count(*) over () from candles_1m where {condition} order by 1 limit 3
        """).all()
        if rows:
            problems.append(f"{rows[0][1]} rows violate {name}: {', '.join(str(row[0]) for row in rows)}")
    rows = execute("""
        select symbol || ' ' || to_char(open_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), count(*) over ()
        from candles_1m group by symbol, open_time having count(*) > 1 order by 1 limit 3
    """).all()
    if rows:
        problems.append(f"{rows[0][1]} minutes have several rows: {', '.join(str(row[0]) for row in rows)}")
    return problems


def _has_key() -> bool:
    return bool(
        scalar("""
        select exists (
            select from pg_index where indrelid = 'candles_1m'::regclass and indisunique and indpred is null
            and (select array_agg(attname::text order by attname) from pg_attribute
                 where attrelid = indrelid and attnum = any (indkey)) = array['open_time', 'symbol']
        )""")
    )


def _refuse_if(problems: list[str]) -> None:
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise CommandError(
            f"candles_1m is already here and cannot be adopted; nothing was changed:\n{listed}\n"
            "Correct these rows or columns, or rename the table, and run the upgrade again."
        )
