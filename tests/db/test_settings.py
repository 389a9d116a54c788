"""ml_settings takes exactly what candlecast.settings can read, and says what is wrong with the rest."""

import json

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from candlecast.settings import resolve

NAMES = ["enabled", "mamba_weight", "device", "mamba_runtime", "candle_timeout", "max_candle_age"]
SET = "update ml_settings set value = %s where name = %s"


def accepted(db: psycopg.Connection, name: str, value: str | None) -> bool:
    """Whether the table takes the value; it keeps it only then."""
    try:
        return db.execute(SET, (value, name)).rowcount == 1
    except psycopg.errors.CheckViolation as violation:
        return violation.diag.constraint_name != "ml_settings_value_valid"


def read_back(db: psycopg.Connection):
    """The settings as the functions resolve them, without an environment."""
    rows = db.execute("select jsonb_object_agg(name, value)::text from ml_settings").fetchone()[0]
    return resolve(rows, {})


def test_every_setting_has_a_row_and_says_what_it_means(db):
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
    ],
)
def test_what_the_table_takes_is_what_the_functions_read(db, name, value, expected):
    assert accepted(db, name, value)
    assert getattr(read_back(db), name) == expected


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
    ],
)
def test_what_the_table_refuses(db, name, value):
    assert not accepted(db, name, value)


def test_no_other_setting_can_be_added(db):
    for name in ("torchscript", "mamba_model_path", "ML_TORCHSCRIPT"):
        with pytest.raises(psycopg.errors.CheckViolation, match="ml_settings_value_valid"):
            db.execute("insert into ml_settings values (%s, 'on', '')", (name,))


LIKE_A_VALUE = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.from_regex(r"[0-9]{0,10}(\.[0-9]{0,3})?( ?(ms|s|min|h|d))?", fullmatch=True),
    st.from_regex(r"[0-9٠-٩.e_+-]{1,6}", fullmatch=True),
    st.sampled_from(["true", "false", "on", "off", "cpu", "cuda", "auto", "onnx", "torchscript", "none"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(name=st.sampled_from(NAMES), value=LIKE_A_VALUE)
def test_nothing_that_the_table_takes_is_refused_by_the_functions(db, name, value):
    if accepted(db, name, value):
        resolve(json.dumps({name: value}), {})  # raises SettingInvalid where they disagree
