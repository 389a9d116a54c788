"""Adopts an existing candles_1m, and restores it at the downgrade.

The required columns and checks are read from `candles/candles_1m_v01.sql`, which is run in a temporary schema. `adopt`
notes what it changes, and `release` undoes exactly that. A column that `adopt` added is dropped with its values; the
table and its other columns keep their rows. Comments of the user stay: candlecast's are set only where there are none.
"""

from typing import Any

from alembic.util import CommandError

from db.migrations import notes
from db.migrations.objects import FUNCTIONS, execute, scalar
from db.migrations.roles import ROLES

NOTE = "candles_1m_adopted"
KEY = "candles_1m_symbol_and_time"
#: Columns that the table may lack: `adopt` adds them, `release` drops them.
ADDABLE = ("spread_bps", "taker_buy_ratio")
#: Types that are accepted in place of the one in the file.
ACCEPTED = {"text": ("text", "character varying"), "bigint": ("bigint", "integer")}

Columns = dict[str, Any]


def was_adopted() -> bool:
    """Whether the table existed before candlecast."""
    return notes.read(NOTE) is not None


def adopt() -> None:
    """Check columns, keys and rows, then add what is missing. Raises CommandError with a list of all problems."""
    _refuse_if(_kind_problems())
    execute("lock table candles_1m in access exclusive mode")
    wanted, checks, our_comments = _read_wanted()
    found = _columns("public")
    _refuse_if(_column_problems(wanted, found) + _constraint_problems(checks))
    _refuse_if(_row_problems(wanted, found, checks))

    added = [name for name in ADDABLE if name not in found]
    tightened = [name for name in wanted if name in found and wanted[name].required and not found[name].required]
    default_set = not found["symbol"].expression
    constraints = [check.name for check in checks if check.name not in _constraints()]
    grants, comments = _grants(), _comments("public")
    for name in added:
        execute(f"alter table candles_1m add column {name} {wanted[name].type} {wanted[name].expression}")
    for name in tightened:
        execute(f"alter table candles_1m alter column {name} set not null")
    if default_set:
        execute(f"alter table candles_1m alter column symbol set default {wanted['symbol'].expression}")
    if not _has_key():
        kind = "unique" if _has_primary_key() else "primary key"
        execute(f"alter table candles_1m add constraint {KEY} {kind} (symbol, open_time)")
        constraints.append(KEY)
    for check in checks:
        if check.name in constraints:
            execute(f"alter table candles_1m add constraint {check.name} {check.definition}")
    sequences = _sequences()
    for sequence in sequences:
        execute(f"grant usage on sequence {sequence} to candlecast_owner, candlecast_feeder")
    notes.write(
        NOTE,
        {
            "columns": added,
            "constraints": constraints,
            "not_null": tightened,
            "default_set": default_set,
            "grants": grants,
            "sequences": sequences,
            "comments": comments,
            "comments_set": {name: text for name, text in our_comments.items() if name not in comments},
        },
    )


def restore_comments() -> None:
    """Put the user's comments back, which the file has replaced."""
    for name, text in notes.read(NOTE)["comments"].items():
        _comment(name, text)


def release() -> None:
    """Undo what `adopt` and the file's grants and comments did; the table and its rows stay."""
    note = notes.read(NOTE)
    now = _comments("public")
    for name, text in note["comments_set"].items():
        if now.get(name) == text:  # else the user has written another one since
            _comment(name, None)
    for name in note["constraints"]:
        execute(f"alter table candles_1m drop constraint if exists {name}")
    for name in note["not_null"]:
        execute(f"alter table candles_1m alter column {name} drop not null")
    for name in note["columns"]:
        execute(f"alter table candles_1m drop column {name}")
    if note["default_set"]:
        execute("alter table candles_1m alter column symbol drop default")
    owner = scalar("select relowner::regrole::text from pg_class where oid = 'candles_1m'::regclass")
    others = [role for role in ROLES if role != owner]
    execute(f"revoke all on table candles_1m from {', '.join(others)}")
    for sequence in note["sequences"]:
        execute(f"revoke usage on sequence {sequence} from candlecast_owner, candlecast_feeder")
    for grant in note["grants"]:
        execute(grant)
    notes.forget(NOTE)


def _read_wanted() -> tuple[Columns, list[Any], dict[str, str]]:
    """Columns, CHECK constraints and comments of the file's table."""
    execute("create schema candlecast_adoption; set local search_path = candlecast_adoption")
    execute((FUNCTIONS / "candles/candles_1m_v01.sql").read_text())
    execute("set local search_path = public")
    columns, comments = _columns("candlecast_adoption"), _comments("candlecast_adoption")
    checks = execute("""
        select
            conname as name, pg_get_constraintdef(pg_constraint.oid) as definition,
            array_agg(attname::text) as columns
        from pg_constraint join pg_attribute on attrelid = conrelid and attnum = any (conkey)
        where conrelid = 'candlecast_adoption.candles_1m'::regclass and contype = 'c'
        group by pg_constraint.oid, conname order by conname
    """).all()
    execute("drop table candlecast_adoption.candles_1m; drop schema candlecast_adoption")
    return columns, list(checks), comments


def _comments(schema: str) -> dict[str, str]:
    """The comments of the table, under "", and of its columns, by name."""
    rows = execute(f"""
        select coalesce(attname, '') as name, description
        from pg_description left join pg_attribute on attrelid = objoid and attnum = objsubid and objsubid > 0
        where classoid = 'pg_class'::regclass and objoid = '{schema}.candles_1m'::regclass
    """)
    return {row.name: row.description for row in rows}


def _comment(name: str, text: str | None) -> None:
    """Set the comment of the table (name "") or of a column; None removes it."""
    column = name.replace('"', '""')
    target = f'column public.candles_1m."{column}"' if name else "table public.candles_1m"
    literal = "null" if text is None else "'" + text.replace("'", "''") + "'"
    execute(f"comment on {target} is {literal}")


def _columns(schema: str) -> Columns:
    rows = execute(f"""
        select
            attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required,
            attgenerated <> '' as generated,
            case when attgenerated <> ''
                then format('generated always as (%s) stored', pg_get_expr(adbin, adrelid))
                else coalesce(pg_get_expr(adbin, adrelid), '') end as expression
        from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attrelid = '{schema}.candles_1m'::regclass and attnum > 0 and not attisdropped
        order by attnum
    """)
    return {row.name: row for row in rows}


def _kind_problems() -> list[str]:
    kind = scalar("select relkind from pg_class where oid = 'public.candles_1m'::regclass")
    return [] if kind in {"r", "p"} else ["it is not a table"]


def _column_problems(wanted: Columns, found: Columns) -> list[str]:
    problems = []
    for name, column in wanted.items():
        if name not in found:
            if name not in ADDABLE:
                problems.append(f"column {name} is missing (type {column.type})")
            continue
        if found[name].type.split("(")[0] not in ACCEPTED.get(column.type, (column.type,)):
            problems.append(f"column {name} is {found[name].type}, not {column.type}")
        elif found[name].generated != column.generated:
            remedy = "generated: drop it, the upgrade adds it" if column.generated else "a plain column"
            problems.append(f"column {name} must be {remedy}")
        elif column.generated and found[name].expression != column.expression:
            formula = " ".join(column.expression.split())
            problems.append(f"column {name} has another expression: drop it, the upgrade adds it as {formula}")
    return problems


def _constraint_problems(checks: list[Any]) -> list[str]:
    here = _constraints()
    return [
        f"constraint {check.name} is {here[check.name]}, not {check.definition}"
        for check in checks
        if here.get(check.name, check.definition) != check.definition
    ]


def _row_problems(wanted: Columns, found: Columns, checks: list[Any]) -> list[str]:
    conditions = [
        (f"rows have null in {name}", f"{name} is null")
        for name, column in wanted.items()
        if column.required and name in found
    ]
    conditions += [
        (f"rows violate {check.name}", f"not {check.definition.removeprefix('CHECK ')}")
        for check in checks
        if set(check.columns) <= set(found)
    ]
    row_name = """coalesce(symbol, 'no symbol') || ' ' || coalesce((open_time at time zone 'UTC')::text, 'no time')"""
    queries = [
        (what, f"select {row_name}, count(*) over () from candles_1m where {condition}")
        for what, condition in conditions
    ]
    queries.append(
        (
            "minutes have several rows",
            f"select {row_name}, count(*) over () from candles_1m group by symbol, open_time having count(*) > 1",
        )
    )
    problems = []
    for what, query in queries:
        rows = execute(f"{query} order by 1 limit 3").all()
        if rows:
            listed = ", ".join(row[0] for row in rows)
            problems.append(f"{rows[0][1]} {what}: {listed}{', ...' if rows[0][1] > len(rows) else ''}")
    return problems


def _constraints() -> dict[str, str]:
    rows = execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid = 'candles_1m'::regclass"
    )
    return {row[0]: row[1] for row in rows}


def _has_key() -> bool:
    """Whether a unique index on exactly (symbol, open_time) exists that ON CONFLICT can use."""
    return bool(
        scalar("""
        select exists (
            select from pg_index
            where indrelid = 'candles_1m'::regclass and indisunique and indisvalid and indimmediate
            and indpred is null and indexprs is null and indnatts = 2
            and pg_get_indexdef(indexrelid, 1, true) = 'symbol'
            and pg_get_indexdef(indexrelid, 2, true) = 'open_time'
        )""")
    )


def _has_primary_key() -> bool:
    return bool(scalar("select exists (select from pg_index where indrelid = 'candles_1m'::regclass and indisprimary)"))


def _sequences() -> list[str]:
    """Sequences of the table's serial columns: a role that inserts needs them."""
    rows = execute("""
        select objid::regclass::text from pg_depend join pg_class on oid = objid and relkind = 'S'
        where classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass
        and refobjid = 'candles_1m'::regclass and deptype = 'a'
    """)
    return [row[0] for row in rows]


def _grants() -> list[str]:
    """GRANT statements for the present rights of PUBLIC and our roles on the table and its columns."""
    roles = ", ".join(f"'{role}'" for role in ROLES)
    rows = execute(f"""
        with held as (
            select null::name as column_name, entry.*
            from pg_class, aclexplode(relacl) as entry where oid = 'candles_1m'::regclass
            union all
            select attname, entry.*
            from pg_attribute, aclexplode(attacl) as entry where attrelid = 'candles_1m'::regclass
        )
        select format(
            'grant %s%s on table public.candles_1m to %s%s',
            lower(privilege_type), ' (' || quote_ident(column_name) || ')',
            coalesce(quote_ident(rolname), 'public'), case when is_grantable then ' with grant option' end
        )
        from held left join pg_roles on pg_roles.oid = grantee
        where (grantee = 0 or rolname in ({roles}))
        and grantee <> (select relowner from pg_class where oid = 'candles_1m'::regclass)
    """)
    return [row[0] for row in rows]


def _refuse_if(problems: list[str]) -> None:
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise CommandError(
            f"candles_1m exists and cannot be adopted. Nothing was changed.\n{listed}\n"
            "Correct these rows and columns, or rename the table. Then run the upgrade again."
        )
