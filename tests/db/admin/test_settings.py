"""ml_settings accepts exactly the values that candlecast.core.settings can read."""

import json

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candlecast.core.settings import resolve
from tests.support.deployment import in_backend
from tests.support.migrations import migrate

NAMES = [
    "enabled", "mamba_weight", "device", "mamba_runtime", "candle_timeout", "max_candle_age", "min_confidence",
    "model_expiry", "max_test_ensembles", "promotion_margin", "promotion_guard", "promotion_cooldown", "ab_min_pairs",
    "ab_max_days", "keep_predictions", "keep_runs", "keep_measurements",
]  # fmt: skip
SET = "update ml_settings set value = %s where name = %s"


def accepted(db: psycopg.Connection, name: str, value: str | None) -> bool:
    """Whether the table accepts the value; it is stored only then."""
    try:
        return db.execute(SET, (value, name)).rowcount == 1
    except psycopg.errors.CheckViolation as violation:
        return violation.diag.constraint_name != "ml_settings_value_valid"


def read_back(db: psycopg.Connection):
    """The settings as the functions resolve them, without an environment."""
    rows = db.execute("select jsonb_object_agg(name, value)::text from ml_settings").fetchone()[0]
    return resolve(rows, {})


def test_every_setting_has_a_row_with_its_meaning(db):
    rows = db.execute("select name, value, meaning from ml_settings order by name").fetchall()
    assert [row[0] for row in rows] == sorted(NAMES)
    assert all(row[1] is None and "default" in row[2] for row in rows)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("enabled", "true", True),
        ("enabled", "false", False),
        ("enabled", None, True),
        ("mamba_weight", "0", 0.0),
        ("mamba_weight", "1", 1.0),
        ("mamba_weight", "1.000", 1.0),
        ("mamba_weight", "0.4375", 0.4375),
        ("device", "cuda", "cuda"),
        ("mamba_runtime", "torchscript", "torchscript"),
        ("mamba_runtime", "auto", "auto"),
        ("candle_timeout", "0 s", 0.0),
        ("candle_timeout", "250 ms", 0.25),
        ("candle_timeout", "1.5 s", 1.5),
        ("max_candle_age", "none", None),
        ("max_candle_age", "90 s", 90.0),
        ("max_candle_age", "12 h", 43200.0),
        ("min_confidence", "0", 0.0),
        ("min_confidence", "0.025", 0.025),
        ("min_confidence", "0.50", 0.5),
        ("model_expiry", "none", None),
        ("model_expiry", None, 604800.0),
        ("model_expiry", "36 h", 129600.0),
        ("model_expiry", "1.5 d", 129600.0),
        ("max_test_ensembles", "0", 0),
        ("max_test_ensembles", "12", 12),
        ("max_test_ensembles", None, 3),
        ("promotion_margin", None, 0.005),
        ("promotion_margin", "0", 0.0),
        ("promotion_margin", "0.0125", 0.0125),
        ("promotion_guard", None, "confidence"),
        ("promotion_guard", "none", "none"),
        ("promotion_cooldown", None, 86400.0),
        ("promotion_cooldown", "none", None),
        ("promotion_cooldown", "3 d", 259200.0),
        ("ab_min_pairs", None, 1300),
        ("ab_min_pairs", "1", 1),
        ("ab_min_pairs", "1439", 1439),
        ("ab_max_days", None, 30),
        ("ab_max_days", "999", 999),
        ("keep_predictions", None, 31536000.0),
        ("keep_predictions", "none", None),
        ("keep_runs", "1.5 d", 129600.0),
        ("keep_measurements", "99999 d", 99999 * 86400.0),
    ],
)
def test_functions_read_the_values_the_table_accepts(shared_db, name, value, expected):
    assert accepted(shared_db, name, value)
    assert getattr(read_back(shared_db), name) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enabled", "on"),
        ("enabled", ""),
        ("mamba_weight", "1.01"),
        ("mamba_weight", "-0"),
        ("mamba_weight", "nan"),
        ("mamba_weight", "0.5 "),
        ("device", "gpu"),
        ("mamba_runtime", "pickle"),
        ("candle_timeout", "25"),
        ("candle_timeout", "none"),
        ("candle_timeout", "1 h"),
        ("candle_timeout", "25 s\n"),
        ("max_candle_age", "100 ms"),
        ("max_candle_age", "-1 s"),
        ("min_confidence", "0.51"),
        ("min_confidence", "0.5001"),
        ("min_confidence", "1"),
        ("min_confidence", "-0.1"),
        ("min_confidence", ".1"),
        ("keep_predictions", "0 d"),
        ("keep_runs", "12 h"),
        ("keep_measurements", "100000 d"),
        ("model_expiry", "7"),
        ("model_expiry", "1 week"),
        ("model_expiry", "7 days"),
        ("model_expiry", "100 ms"),
        ("max_test_ensembles", "-1"),
        ("max_test_ensembles", "1.5"),
        ("max_test_ensembles", "none"),
        ("max_test_ensembles", "1000"),
        ("promotion_margin", "1"),
        ("promotion_margin", "-0.1"),
        ("promotion_margin", "0.5 %"),
        ("promotion_guard", "confident"),
        ("promotion_guard", ""),
        ("promotion_cooldown", "100 ms"),
        ("promotion_cooldown", "1000 d"),
        ("promotion_cooldown", "1"),
        ("ab_min_pairs", "0"),
        ("ab_min_pairs", "1440"),
        ("ab_max_days", "0"),
        ("ab_max_days", "1000"),
        ("ab_max_days", "1.5"),
    ],
)
def test_the_table_rejects_invalid_values(shared_db, name, value):
    assert not accepted(shared_db, name, value)


def test_no_other_setting_can_be_added(db):
    for name in ("torchscript", "mamba_model_path", "ML_TORCHSCRIPT"):
        with pytest.raises(psycopg.errors.CheckViolation, match="ml_settings_value_valid"):
            db.execute("insert into ml_settings values (%s, 'on', '')", (name,))


@pytest.mark.parametrize("role", ["candlecast_trainer", "candlecast_operator", "candlecast_reader", "candlecast_cron"])
def test_ml_setting_returns_the_value_in_effect(db, connect_as, role):
    asking = connect_as(role)
    ask = "select ml_setting('model_expiry')"
    assert asking.execute(ask).fetchone() == ("7 d",)
    # set in this backend, as the server's environment would be
    asking.execute("reset session authorization")
    in_backend(asking, "import os; os.environ['ML_MODEL_EXPIRY'] = '30 d'")
    asking.execute(f"set session authorization {role}")
    assert asking.execute(ask).fetchone() == ("30 d",)
    db.execute(SET, ("2 h", "model_expiry"))
    assert asking.execute(ask).fetchone() == ("2 h",)


@pytest.mark.parametrize("name", ["torchscript", "mamba_model_path", "", None])
def test_ml_setting_returns_nothing_but_settings(db, name):
    with pytest.raises(psycopg.Error, match="no such setting") as error:
        db.execute("select ml_setting(%s)", (name,))
    assert error.value.sqlstate == "CC013"


def test_values_survive_a_downgrade_that_keeps_settings(make_database):
    url = make_database()
    migrate(url, "0001")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(SET, ("0.25", "mamba_weight"))
        for revision in ("head", "0001", "head"):
            migrate(url, revision)
            rows = dict(db.execute("select name, value from ml_settings").fetchall())
            assert len(rows) == 17
            assert {name: value for name, value in rows.items() if value} == {"mamba_weight": "0.25"}


LIKE_A_VALUE = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.from_regex(r"[0-9]{0,10}(\.[0-9]{0,3})?( ?(ms|s|min|h|d))?", fullmatch=True),
    st.from_regex(r"[0-9٠-٩.e_+-]{1,6}", fullmatch=True),
    st.sampled_from(["true", "false", "on", "off", "cpu", "cuda", "auto", "onnx", "torchscript", "none"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(name=st.sampled_from(NAMES), value=LIKE_A_VALUE)
def test_functions_accept_every_value_the_table_accepts(db, name, value):
    if accepted(db, name, value):
        resolve(json.dumps({name: value}), {})  # raises SettingInvalid if it does not accept the value
