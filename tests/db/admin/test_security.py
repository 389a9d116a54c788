"""In SECURITY DEFINER functions a caller cannot replace the objects that they use."""

import psycopg
import pytest

from tests.support.deployment import NEWEST, deploy, load_demo

DEFINERS = {
    "activate_ensemble",
    "create_ensemble",
    "generate_demo_candles",
    "predict",
    "predict_now",
    "predict_range",
    "register_model",
    "rollback_ensemble",
    "ml_setting",
    "withdraw_ensemble",
    "test_ensemble",
    "evaluate_ab",
    "preview_ab",
    "record_ensemble_event",
}


def test_security_definer_functions_search_pg_temp_last(db):
    found = db.execute("""
        select proname, proowner::regrole::text, coalesce(array_to_string(proconfig, '; '), '') from pg_proc
        where pronamespace = 'public'::regnamespace and prosecdef
    """).fetchall()
    assert {name for name, _, _ in found} >= DEFINERS
    for name, owner, config in found:
        assert owner == "candlecast_owner", name
        assert "search_path=pg_catalog, pg_temp" in config.split("; "), name


@pytest.fixture
def attacker(db, connect_as, artifacts):
    """A reader in a database where DEMO has forecasts, and where every role may create schemas."""
    load_demo(db)
    deploy(db, artifacts)
    db.execute(f"grant create on database {db.info.dbname} to candlecast_reader")
    return connect_as("candlecast_reader")


CALLS = {
    "predict_now": "select * from predict_now('DEMO')",
    "predict": "select * from predict('DEMO')",
    "predict_range": f"select * from predict_range('DEMO', '{NEWEST}', 'infinity')",
}


@pytest.mark.parametrize("function", CALLS)
def test_temporary_tables_replace_no_tables(db, attacker, function):
    expected = db.execute("select * from predict('DEMO')").fetchall()
    attacker.execute("""
        create temp table candles_1m as select * from public.candles_1m where false;
        create temp table active_ensembles as select * from public.active_ensembles where false;
        create temp table predictions as select * from public.predictions;
        create temp table model_versions as select * from public.model_versions where false;
        create temp table model_artifacts (model_version_id bigint, name text, sha256 text, content bytea);
        create temp table ml_settings (name text, value text);
        insert into ml_settings values ('enabled', 'false');
        grant all on candles_1m, active_ensembles, predictions, model_versions, model_artifacts, ml_settings to public;
        create type pg_temp.forecast as (hijacked text);
    """)
    assert attacker.execute(CALLS[function]).fetchall() == expected
    assert attacker.execute("select count(*) from pg_temp.predictions").fetchone() == (0,)
    assert db.execute("select count(*) from predictions").fetchone() == (5 if function == "predict_now" else 0,)


HIJACK = """
    create schema trap;
    create function trap.sprung(text, text) returns boolean language plpgsql as
        'begin raise exception ''hijacked as %'', current_user; end';
    create operator trap.= (leftarg = text, rightarg = text, function = trap.sprung);
    create function trap.sprung(timestamptz, interval) returns timestamptz language plpgsql as
        'begin raise exception ''hijacked as %'', current_user; end';
    create operator trap.- (leftarg = timestamptz, rightarg = interval, function = trap.sprung);
    create function trap.features_between(text, timestamptz, timestamptz) returns void language plpgsql as
        'begin raise exception ''hijacked as %'', current_user; end';
    create function trap.to_timestamp(double precision) returns timestamptz language plpgsql as
        'begin raise exception ''hijacked as %'', current_user; end';
    grant usage on schema trap to public;
    set search_path = trap, pg_catalog, public;
"""


@pytest.mark.parametrize("function", CALLS)
def test_operators_and_functions_of_the_caller_are_unused(db, attacker, function):
    expected = db.execute("select * from predict('DEMO')").fetchall()
    attacker.execute(HIJACK)
    assert attacker.execute(CALLS[function]).fetchall() == expected


@pytest.mark.parametrize("function", CALLS)
def test_without_the_search_path_the_attack_succeeds(db, attacker, function):
    """Proves that the test above can fail: the function's search_path is what prevents the attack."""
    arguments = "(text)" if function == "predict_now" else ""
    db.execute(f"alter function {function}{arguments} reset search_path")
    attacker.execute(HIJACK)
    with pytest.raises(psycopg.errors.RaiseException, match="hijacked as candlecast_owner"):
        attacker.execute(CALLS[function])


OVERLOADS = """
    create function public.sprung(jsonb, text, text) returns jsonb language plpgsql as
        'begin raise exception ''hijacked as %'', current_user; end';
    create aggregate public.jsonb_object_agg(text, text) (sfunc = public.sprung, stype = jsonb);
    create function public.to_timestamp(integer) returns timestamptz language plpgsql as
        'begin raise exception ''hijacked as %'', current_user; end';
"""


@pytest.mark.parametrize("call", [*CALLS.values(), f"call run_inference('{NEWEST}')"])
def test_overloads_in_schema_public_are_not_used(db, connect_as, attacker, call):
    """If every role may create in schema public, as before PostgreSQL 15, a better match there would be used."""
    db.execute("grant create on schema public to candlecast_reader")
    attacker.execute(OVERLOADS)
    with pytest.raises(psycopg.errors.RaiseException, match="hijacked"):
        attacker.execute("select public.jsonb_object_agg(name, value) from ml_settings")
    caller = connect_as("candlecast_cron") if call.startswith("call") else attacker
    caller.execute(call)
    if call.startswith("call"):
        assert db.execute("select status from inference_runs").fetchall() == [("predicted",)]
