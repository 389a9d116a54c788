"""The generated pages of docs/reference that need a database: sql.md and metrics.md.

Tests compare them, and `make golden` writes them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg
from prometheus_client.parser import text_string_to_metric_families
from psycopg.rows import namedtuple_row

from candlecast.web.metrics import format_metrics
from tests.support.paths import ROOT
from tests.support.reference import code, page, plain, table

#: In the order of the migrations; db/functions has a folder for each.
TOPICS = {
    "candles": "Candles",
    "features": "Features",
    "models": "Models",
    "predictions": "Predictions",
    "ab": "A/B tests",
    "monitoring": "Monitoring",
    "admin": "Administration",
}
KINDS = {"r": "Table", "p": "Table", "v": "View", "c": "Type", "f": "Function", "a": "Aggregate", "w": "Function"}

_OURS = """not exists (
    select from pg_depend
    where pg_depend.classid = '{0}'::regclass and pg_depend.objid = {0}.oid and pg_depend.deptype = 'e'
)"""
RELATIONS = f"""
select
    pg_class.oid, relname as name, relkind as kind, obj_description(pg_class.oid, 'pg_class') as comment,
    obj_description(reltype, 'pg_type') as type_comment
from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'c', 'f') and {_OURS.format("pg_class")}
order by relname collate "C"
"""
COLUMNS = """
select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required,
    col_description(attrelid, attnum) as comment
from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped order by attnum
"""
FUNCTIONS = f"""
select
    pg_proc.oid, proname as name, case prokind when 'p' then 'p' when 'a' then 'a' else 'f' end as kind,
    pg_get_function_arguments(pg_proc.oid) as arguments, pg_get_function_result(pg_proc.oid) as result,
    obj_description(pg_proc.oid, 'pg_proc') as comment
from pg_proc where pronamespace = 'public'::regnamespace and {_OURS.format("pg_proc")}
order by proname collate "C", 4
"""
#: Who has which right, of other roles than the owner; columns where it is of some only.
RIGHTS = """
with entries as (
    select null::name as column_name, entry.*, relowner as owner from pg_class, aclexplode(relacl) as entry
    where pg_class.oid = %(oid)s
    union all
    select attname, entry.*, relowner
    from pg_attribute join pg_class on pg_class.oid = attrelid, aclexplode(attacl) as entry where attrelid = %(oid)s
    union all
    select null, entry.*, proowner
    from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) as entry where pg_proc.oid = %(oid)s
),
granted as (
    select
        lower(privilege_type) as privilege, coalesce(rolname, 'public') as role,
        string_agg(column_name, ', ' order by column_name collate "C") as columns
    from entries left join pg_roles on pg_roles.oid = grantee
    where grantee <> owner and coalesce(rolname, 'public') <> 'candlecast_owner'
    group by 1, 2, column_name is null
)
select privilege || coalesce(' (' || columns || ')', '') as privilege, array_agg(role::text order by role) as roles
from granted group by 1
order by min(array_position(array['select', 'insert', 'update', 'delete', 'execute'], privilege)), 1
"""


def sql_page(db: psycopg.Connection) -> str:
    """Every object in schema public, by topic."""
    cursor = db.cursor(row_factory=namedtuple_row)
    blocks: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    for relation in cursor.execute(RELATIONS).fetchall():
        blocks[_topic(relation.name)].append(_relation(cursor, relation))
    for function in cursor.execute(FUNCTIONS).fetchall():
        blocks[_topic(function.name)].append(_function(cursor, function))
    return page(
        "SQL",
        "All tables, views, types and functions of candlecast in schema `public`.",
        "The texts are the comments of the objects: `\\d+ predictions` and `\\df+ predict_now` show them in psql. "
        "Roles are written without their prefix `candlecast_`.",
        *(f"## {title}\n\n" + "\n\n".join(blocks[topic]) for topic, title in TOPICS.items()),
    ).replace("timestamp with time zone", "timestamptz")


def _topic(name: str) -> str:
    """The folder of an object's file; what the migrations themselves create belongs to admin."""
    folders = {path.parent.name for path in (ROOT / "db/functions").glob(f"*/{name}_v*.sql")}
    assert len(folders) <= 1, f"{name} has files in {folders}"
    return folders.pop() if folders else "admin"


def _relation(cursor: Any, relation: Any) -> str:
    kind = KINDS[relation.kind]
    columns = cursor.execute(COLUMNS, (relation.oid,)).fetchall()
    head = ["column", "type", "not null", "meaning"] if kind == "Table" else ["column", "type", "meaning"]
    rows = [
        [
            code(column.name),
            column.type,
            *(["yes" if column.required else ""] if kind == "Table" else []),
            plain(column.comment or ""),
        ]
        for column in columns
    ]
    rights = "" if kind == "Type" else f"\n\nRights: {_rights(cursor, relation.oid)}."
    about = _comment(f"{kind}. {relation.type_comment if kind == 'Type' else relation.comment}")
    return f"### {relation.name}\n\n{about}{rights}\n\n{table(head, rows)}"


def _function(cursor: Any, function: Any) -> str:
    kind = "Procedure" if function.kind == "p" else KINDS[function.kind]
    arguments = _list(function.arguments)
    result = function.result or ""
    if result.startswith("TABLE("):
        result = "table" + _list(result.removeprefix("TABLE(").removesuffix(")"))
    call = f"{function.name}{arguments}" + (f"\nreturns {result}" if result else "")
    return (
        f"### {function.name}()\n\n```sql\n{call}\n```\n\n{_comment(f'{kind}. {function.comment}')}\n\n"
        f"Rights: {_rights(cursor, function.oid)}."
    )


def _list(arguments: str) -> str:
    """Arguments in parentheses: on one line if they are short, else one a line."""
    return f"({arguments})" if len(arguments) <= 90 else "(\n    " + ",\n    ".join(arguments.split(", ")) + "\n)"


def _comment(text: str) -> str:
    """A comment as Markdown: a paragraph, then a list of the lines that begin with a hyphen."""
    about, *items = re.split(r"\n(?=- )", text)
    return "\n".join(
        [plain(about), *([""] if items else []), *(f"- {plain(item.removeprefix('- '))}" for item in items)]
    )


def _rights(cursor: Any, oid: int) -> str:
    granted = cursor.execute(RIGHTS, {"oid": oid}).fetchall()
    found = (f"{one.privilege}: {', '.join(role.removeprefix('candlecast_') for role in one.roles)}" for one in granted)
    return "; ".join(found) or "none, candlecast uses it internally"


def metrics_page(rows: Iterable[Mapping[str, Any]]) -> str:
    """Every metric that /metrics serves, from rows of metrics() that have each of them."""
    text = format_metrics([dict(row) for row in rows], up=True).decode()
    families = sorted(text_string_to_metric_families(text), key=lambda family: family.name)
    return page(
        "Metrics",
        "All metrics that `candlecast serve` has at `/metrics`, for Prometheus.",
        "Those that begin with `ml_`, except `ml_database_up`, are the rows of the SQL function `metrics()`. "
        "Names contain the unit; shares are fractions. A histogram has the samples `_bucket` (label `le`), `_sum` and "
        "`_count`. While the database does not answer, only `ml_database_up` and `process_*` are there.",
        table(["metric", "type", "labels", "meaning"], map(_metric, families)),
    )


def _metric(family: Any) -> list[str]:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
    return [code(name), family.type, ", ".join(map(code, labels)), plain(family.documentation)]
