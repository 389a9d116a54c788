"""Rights: as the catalog has them (tests/rights.txt), and as each role experiences them."""

import re

import psycopg
import pytest

from db.migrations.roles import ROLES
from tests.support.databases import with_database
from tests.support.deployment import deploy, load_demo
from tests.support.golden_files import assert_golden
from tests.support.paths import ROOT

NOBODY = "candlecast_probe_nobody"
SHORT = {"candlecast_owner": "owner", **{role: role.removeprefix("candlecast_") for role in ROLES}, "public": "PUBLIC"}
LETTERS = {
    "SELECT": "r",
    "INSERT": "a",
    "UPDATE": "w",
    "DELETE": "d",
    "TRUNCATE": "D",
    "REFERENCES": "x",
    "TRIGGER": "t",
    "MAINTAIN": "m",
    "EXECUTE": "X",
    "USAGE": "U",
    "CREATE": "C",
}


def order(what: str) -> tuple[bool, int, str]:
    """Names before letters, letters in the order of LETTERS."""
    return (len(what) < 3, "".join(LETTERS.values()).find(what[0]), what)


# Every object in schema public with its rights; null in the catalog means PostgreSQL's default.
RIGHTS = """
with objects as (
    select 1 as place, 'schema public' as name, nspowner as owner, coalesce(nspacl, acldefault('n', nspowner)) as acl
    from pg_namespace where nspname = 'public'
    union all
    select 2, case relkind when 'v' then 'view ' when 'S' then 'sequence ' else 'table ' end || relname,
        relowner, coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all
    select 2, 'table ' || relname || '.' || attname, relowner, attacl
    from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'public'::regnamespace and attacl is not null
    union all
    select 3, case prokind when 'p' then 'procedure ' when 'a' then 'aggregate ' else 'function ' end || proname,
        proowner, coalesce(proacl, acldefault('f', proowner))
    from pg_proc where pronamespace = 'public'::regnamespace
    union all
    select 4, 'type ' || typname, typowner, coalesce(typacl, acldefault('T', typowner))
    from pg_type left join pg_class on pg_class.oid = typrelid
    where typnamespace = 'public'::regnamespace and typelem = 0 and (typrelid = 0 or pg_class.relkind = 'c')
)
select objects.name, owner.rolname, owner.rolsuper, coalesce(grantee.rolname, 'public'), privilege_type, is_grantable
from objects
join pg_roles as owner on owner.oid = objects.owner
left join aclexplode(acl) as entry on entry.grantee <> objects.owner
left join pg_roles as grantee on grantee.oid = entry.grantee
order by place, objects.name collate "C"
"""


def test_golden_rights(db):
    """Rows: objects. Columns: roles. The rights of superusers and owners are left out."""
    rights: dict[str, dict[str, set[str]]] = {}
    for name, owner, superuser, grantee, privilege, grantable in db.execute(RIGHTS).fetchall():
        row = rights.setdefault(name, {"owner": {"superuser" if superuser else owner}})
        if privilege:
            row.setdefault(SHORT.get(grantee, grantee), set()).add(LETTERS[privilege] + ("*" if grantable else ""))
    for row in rights.values():
        row["owner"] = {owner.removeprefix("candlecast_") for owner in row["owner"]}
    columns = ["owner", "cron", "feeder", "trainer", "operator", "reader", "PUBLIC"]
    unknown = {column for row in rights.values() for column in row} - {*columns, SHORT["candlecast_owner"]}
    assert not unknown, "a role of another application has rights"
    width = max(map(len, rights)) + 2
    lines = [
        "Rights in schema public. Written by: make golden",
        "r select, a insert, w update, d delete, X execute, U usage, C create; * with grant option",
        "owner: the owner, and the rights of candlecast_owner on objects of other owners",
        "",
        "role".ljust(width) + "attributes",
    ]
    for role, attributes in db.execute(ATTRIBUTES, (list(ROLES),)).fetchall():
        lines.append(f"{role.ljust(width)}{attributes}")
    lines += [
        "",
        "object".ljust(width) + columns[0].ljust(20) + "".join(column.ljust(10) for column in columns[1:]).rstrip(),
    ]
    for name, row in rights.items():
        owner, *cells = [" ".join(sorted(row.get(column, {"-"}), key=order)) for column in columns]
        lines.append((name.ljust(width) + owner.ljust(20) + "".join(cell.ljust(10) for cell in cells)).rstrip())
    assert_golden("tests/rights.txt", "\n".join(lines) + "\n")


ATTRIBUTES = """
select rolname, concat_ws(
    ', ', case when rolcanlogin then 'login' else 'no login' end, case when rolpassword is not null then 'password' end,
    case when rolsuper then 'superuser' end, case when rolcreaterole then 'creates roles' end,
    case when rolcreatedb then 'creates databases' end, case when rolreplication then 'replication' end,
    case when rolbypassrls then 'bypasses row security' end,
    (select 'member of ' || string_agg(roleid::regrole::text, ' ') from pg_auth_members where member = pg_authid.oid)
)
from pg_authid where rolname = any (%s) order by rolname collate "C"
"""


@pytest.fixture(scope="module")
def roles_url(cluster_url, template, artifacts):
    """One database for this module, which changes nothing in it: DEMO has forecasts, and one role has no rights."""
    name = "candlecast_roles"

    def execute(*statements: str) -> None:
        with psycopg.connect(cluster_url, autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement)

    execute(f"create database {name} template {template}", f"create role {NOBODY}")
    try:
        url = with_database(cluster_url, name)
        with psycopg.connect(url, autocommit=True) as db:
            load_demo(db)
            deploy(db, artifacts)
        yield url
    finally:
        execute(f"drop database {name} with (force)", f"drop role {NOBODY}")


DENIED = "42501"
CANDLE = "('DEMO', '2026-05-02 12:00+00', 100, 101, 99, 100, 1, 100, 0.5, 50, 7)"
INSERT_CANDLE = f"""
insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades) values {CANDLE}"""
INSERT_PREDICTION = """
insert into predictions (symbol, candle_time, target_time, horizon, predicted_close, predicted_price, reference_close,
    mamba_close, lgbm_close, confidence)
values ('DEMO', '2026-05-01 00:00+00', '2026-05-01 00:01+00', 1, 0, 1, 1, 0, 0, 0)"""
REGISTER = "select register_model('mamba', 'v', 'DEMO', '/', '{}', '{}', '{}')"
ACTIVATE = "select activate_ensemble((select min(id) from active_ensembles))"
PREDICT_RANGE = "select from predict_range('DEMO', '2026-05-02 11:50+00', '2026-05-02 11:52+00')"
FEATURES = "select from features_between('DEMO', '2026-05-02 11:50+00', '2026-05-02 11:52+00')"
SWITCH_OFF = "update ml_settings set value = 'false' where name = 'enabled'"
MAKE_CANDLES = "select generate_demo_candles('2026-05-02 12:01+00')"

USERS = ("reader", "operator", "trainer")
MODEL_READERS = (*USERS, "cron")
EVERYONE = (*MODEL_READERS, "feeder")

# Statement -> result per role: rows affected or returned, or the SQLSTATE of an error inside the function; DENIED for
# roles that are not listed. Without candlecast_owner: it owns what the functions need, and cannot log in.
ASKED = {
    # predicting
    "select from predict_now('DEMO')": dict.fromkeys(USERS, 5),
    "select from predict('DEMO')": dict.fromkeys(USERS, 5),
    PREDICT_RANGE: dict.fromkeys(USERS, 10),
    # reading
    "select from candles_1m limit 1": dict.fromkeys(EVERYONE, 1),
    FEATURES: dict.fromkeys(MODEL_READERS, 2),
    "select from features_1m limit 1": dict.fromkeys(MODEL_READERS, 1),
    "select from predictions": dict.fromkeys(MODEL_READERS, 0),
    "select from prediction_outcomes": dict.fromkeys(MODEL_READERS, 0),
    "select from latest_predictions": dict.fromkeys(USERS, 0),
    "select from accuracy_by_coverage": dict.fromkeys(USERS, 0),
    "select from inference_runs": dict.fromkeys(MODEL_READERS, 0),
    "select * from model_versions": dict.fromkeys(MODEL_READERS, 2),
    "select * from active_ensembles": dict.fromkeys(MODEL_READERS, 1),
    "select * from ml_settings": dict.fromkeys(MODEL_READERS, 17),
    "select ml_setting('model_expiry')": dict.fromkeys(MODEL_READERS, 1),
    "select name, sha256 from model_artifacts where name = 'mamba.onnx'": dict.fromkeys(MODEL_READERS, 1),
    "select content from model_artifacts where name = 'mamba.onnx'": {"cron": 1},
    "select * from model_artifacts where name = 'mamba.onnx'": {"cron": 1},
    "select length(content) from model_artifacts where name = 'mamba.onnx'": {"cron": 1},
    "select from model_artifacts where content is null": {"cron": 0},
    "select from training_runs": dict.fromkeys(USERS, 0),
    "select from ensemble_history": dict.fromkeys(USERS, 1),
    "select from ensemble_leaderboard": dict.fromkeys(USERS, 0),
    "select from ab_status": dict.fromkeys(USERS, 0),
    "select from preview_ab()": dict.fromkeys(MODEL_READERS, 0),
    "select from ab_evaluations": dict.fromkeys(MODEL_READERS, 0),
    "select from ensemble_events where event = 'activated'": dict.fromkeys(MODEL_READERS, 1),
    "select out_of_sample_from(1)": dict.fromkeys(MODEL_READERS, 1),
    "select from feature_drift": dict.fromkeys(MODEL_READERS, 0),
    "select from consistency_checks": dict.fromkeys(MODEL_READERS, 0),
    "select from monitoring_metrics()": dict.fromkeys(USERS, 0),
    "select from migration_notes": {},
    # candles
    INSERT_CANDLE: {"feeder": 1},
    f"{INSERT_CANDLE} on conflict (symbol, open_time) do update set close = excluded.close": {"feeder": 1},
    "update candles_1m set close = close where open_time = '2026-05-02 11:59+00'": {"feeder": 1},
    "delete from candles_1m where false": {"operator": 0},
    "truncate candles_1m": {},
    MAKE_CANDLES: {"cron": 1, "operator": 1},
    # predictions and the log
    INSERT_PREDICTION: {"cron": 1},
    "update predictions set confidence = 1": {},
    "delete from predictions": {"cron": 0},
    "delete from inference_runs": {"cron": 0},
    # the registry
    REGISTER: {"trainer": "CC016"},
    "select create_ensemble(-1, -2)": {"trainer": "CC016", "operator": "CC016"},
    "select withdraw_ensemble(-1)": {"trainer": "CC006", "operator": "CC006"},
    "select test_ensemble(-1)": {"trainer": "CC006", "operator": "CC006"},
    "select from evaluate_ab()": {"cron": 0, "operator": 0},
    "select from measure_drift('2026-05-02')": {"cron": 27, "operator": 27},
    "select from check_consistency('2026-05-02')": {"cron": 0, "operator": 0},
    "select prune_measurements()": {"cron": 1, "operator": 1},
    "update feature_drift set psi = 0 where false": {},
    "delete from consistency_checks where false": {},
    "delete from ab_evaluations where false": {},
    "update ab_evaluations set reason = 'x' where false": {},
    "update ensemble_events set reason = 'x' where false": {},
    "delete from ensemble_events where false": {},
    ACTIVATE: {"operator": 1},
    "select rollback_ensemble('DEMO')": {"operator": "CC014"},
    "insert into model_artifacts values (1, 'x', repeat('0', 64), 'x')": {},
    "update model_artifacts set content = 'x' where false": {},
    "update model_versions set version = version where false": {},
    "update active_ensembles set is_active = false where false": {},
    "delete from active_ensembles where false": {},
    "select from prune_versions('0 d', 0)": {"trainer": 0, "operator": 0},  # an ensemble uses all versions
    "insert into training_runs (symbol, host, pid) values ('DEMO', 'here', 1)": {"trainer": 1},
    "update training_runs set reason = 'x' where false": {"trainer": 0},
    "delete from training_runs where false": {},
    # settings
    SWITCH_OFF: {"operator": 1},
    "update ml_settings set name = 'device' where name = 'enabled' and false": {},
    "update ml_settings set meaning = 'x'": {},
    "insert into ml_settings values ('enabled', null, '') on conflict do nothing": {},
    "delete from ml_settings": {},
    # running code, creating objects, changing the role
    # cron may call it, but it commits, which this transaction does not allow
    "call run_inference('2026-05-02 11:59+00')": {"cron": "2D000"},
    "do language plpython3u $$ pass $$": {},
    "create function mine() returns int language plpython3u as 'return 1'": {},
    "create table mine ()": {},
    "set role candlecast_owner": {},
    "set role candlecast_operator": {"operator": -1},
}
WHO = ["cron", "feeder", "trainer", "operator", "reader", "nobody"]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: " ".join(asked.split())[:60])
def test_each_role_has_exactly_the_rights_it_needs(roles_url, asked, who):
    with psycopg.connect(roles_url) as db:
        db.execute(f"set session authorization {NOBODY if who == 'nobody' else 'candlecast_' + who}")
        try:
            got = db.execute(asked).rowcount
        except psycopg.Error as error:
            got = error.sqlstate
        db.rollback()
    assert got == ASKED[asked].get(who, DENIED)


def test_public_has_no_rights_on_our_objects(roles_url):
    with psycopg.connect(roles_url) as db:
        held = db.execute("""
            select oid::regclass::text from pg_class
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'p', 'f')
            and (has_table_privilege('public', oid, 'select, insert, update, delete, truncate, references, trigger')
                or has_any_column_privilege('public', oid, 'select, insert, update, references'))
            union all
            select oid::regclass::text from pg_class
            where relnamespace = 'public'::regnamespace
            and case when relkind = 'S' then has_sequence_privilege('public', oid, 'usage, select, update') end
            union all
            select oid::regprocedure::text from pg_proc
            where pronamespace = 'public'::regnamespace and has_function_privilege('public', oid, 'execute')
        """).fetchall()
        assert held == []
        assert db.execute("select count(*) from pg_proc where pronamespace = 'public'::regnamespace").fetchone() >= (
            12,
        )


HEADS = re.compile(r"create or replace (function|procedure) (.*?)\nas \$\$\n(.*?)\$\$;", re.DOTALL)


def test_functions_have_full_heads_and_thin_bodies():
    heads = [
        (path.name, *match.groups())
        for path in sorted((ROOT / "db/functions").rglob("*.sql"))
        for match in HEADS.finditer(path.read_text())
    ]
    assert len(heads) >= 12
    assert len(heads) == sum(
        len(re.findall(r"^create (or replace )?(?:function|procedure)", path.read_text(), re.MULTILINE))
        for path in (ROOT / "db/functions").rglob("*.sql")
    ), "a function is written in another form than this test reads"
    for name, kind, head, body in heads:
        assert re.search(r"\blanguage (sql|plpgsql|plpython3u)\b", head), name
        assert re.search(r"\bsecurity (definer|invoker)\b", head), name
        if kind == "function":  # PostgreSQL has neither for procedures
            assert re.search(r"\b(volatile|stable|immutable)\b", head), name
            assert re.search(r"\bparallel (unsafe|restricted|safe)\b", head), name
        if "plpython3u" in head:
            assert len(body.splitlines()) <= 6, name
            assert body.startswith("from candlecast."), name
            assert "immutable" not in head, name
        if "security definer" in head:
            assert "\nset search_path = pg_catalog, pg_temp" in head, name
