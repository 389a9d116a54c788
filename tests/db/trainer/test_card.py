"""`candlecast card`: what a version is, from the database, else from its folder."""

import re
import shutil
from pathlib import Path

import pytest
from psycopg import conninfo

from candlecast.core.errors import CandlecastUserError
from candlecast.trainer.card import describe_version
from candlecast.trainer.models.artifacts import read_version
from candlecast.trainer.publish import publish_ensemble
from tests.support.deployment import create, register

SECTIONS = (
    "Data",
    "Measured on the test part",
    "Probabilities and intervals on the test part",
    "Ensemble",
    "Parameters of Mamba",
    "Parameters of LightGBM",
    "Features",
    "Test vectors",
    "Known limits",
    "Made with",
)


@pytest.fixture
def models(artifacts) -> Path:
    return artifacts[0].parents[1]


@pytest.fixture
def name(artifacts) -> str:
    return artifacts[0].name


def sections(text: str) -> dict[str, str]:
    """Text by heading, what an ensemble's heading has in brackets left out."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return {heading.split(" (")[0]: body for heading, body in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="module")
def publication(make_shared_database, template, artifacts):
    """A database to clone in which the ensemble is on test, and what publishing it returned."""
    url = make_shared_database(template)
    models, name = artifacts[0].parents[1], artifacts[0].name
    return conninfo.conninfo_to_dict(url)["dbname"], publish_ensemble(models / "ensemble" / name, "test", url)


@pytest.fixture
def published(publication):
    return publication[1]


@pytest.fixture
def database_url(request, make_database, template):
    """A database of the test's own: of tests that ask for `published`, with that ensemble in it."""
    if "published" in request.fixturenames:
        template, _ = request.getfixturevalue("publication")
    return make_database(template)


def test_the_card_of_an_ensemble_says_what_its_facts_say(published, database_url, models, name, tmp_path):
    text = describe_version(name, tmp_path, database_url)
    assert text.startswith(f"# ensemble {name} of DEMO\n")
    found = sections(text)
    assert tuple(found) == SECTIONS
    facts, _ = read_version(models / "mamba" / name)
    for part in ("training", "validation", "test"):
        assert f"{facts['metrics']['parts'][part]['rows']:,}" in found["Data"]
    for kind, title in (("mamba", "Mamba"), ("lgbm", "LightGBM"), ("ensemble", "ensemble")):
        for horizon in "12345":
            one = facts["metrics"][kind][horizon]
            row = f"{100 * one['accuracy']:.2f} [{100 * one['low']:.2f}, {100 * one['high']:.2f}]"
            assert re.search(rf"^\| {horizon} min +\| {title} +\|.*{re.escape(row)}", found[SECTIONS[1]], re.MULTILINE)
    assert found[SECTIONS[1]].count("majority class") == 5
    assert f"(id {published.id}, on test)" in text
    weight = facts["metrics"]["weight"]
    assert f"Mamba's weight: {weight['weight']:.4g} [{weight['low']:.2f}, {weight['high']:.2f}]" in found["Ensemble"]
    assert "Prediction interval, 90 %" in found["Ensemble"]
    calibrated = facts["metrics"]["calibrated"]["5"]
    for figure in (f"{calibrated['brier']:.4f}", f"{100 * calibrated['interval_coverage']['value']:.1f}"):
        assert figure in found["Probabilities and intervals on the test part"]
    assert "Calibration, on" in found["Ensemble"]
    assert "seeds: 0, 1" in found["Parameters of Mamba"]
    lgbm_facts, lgbm_files = read_version(models / "lgbm" / name)
    for key, value in lgbm_facts["params"].items():
        assert (
            f"- {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
            in found["Parameters of LightGBM"]
        )
    for feature in facts["features"]:
        assert re.search(rf"\b{feature}\b", found["Features"])
    seen = facts["training_distribution"]
    for kind in ("Mamba", "LightGBM"):
        expected = (
            f"- {kind}: quantiles 1/20 apart of {seen['rows']:,} training minutes, and {seen['days']} training days"
        )
        assert expected in found["Features"]
    for limit in facts["limits"]:
        assert f"- {limit}" in found["Known limits"]
    for library, version in facts["libraries"].items():
        assert f"{library} {version}" in found["Made with"]
    assert str(facts["git_commit"] or "none: it was not run from a clone") in found["Made with"]
    for file in set(lgbm_files) - {"facts.json"}:
        assert f"lgbm/{name}/{file}: sha256 {lgbm_facts['files'][file]}" in found["Made with"]


def test_the_folder_says_the_same_where_no_database_answers(published, database_url, models, name, capsys):
    of_database = sections(describe_version(name, models, database_url))
    gone = conninfo.make_conninfo(database_url, port=1)
    of_folder = sections(describe_version(name, models, gone))
    assert "no connection to the database" in capsys.readouterr().err
    assert set(of_folder) == set(of_database)
    for heading in set(of_folder) - {"Test vectors"}:  # that names where the ensemble was read
        assert sorted(of_folder[heading].splitlines()) == sorted(of_database[heading].splitlines()), heading


def test_what_was_never_published_is_read_from_its_folder(db, database_url, models, name):
    assert describe_version(name, models, database_url).startswith(f"# ensemble {name} of DEMO\n")


def test_a_type_or_an_id_names_one_version(db, published, database_url, models, name):
    (number,) = db.execute("select id from model_versions where model_type = 'lgbm'").fetchone()
    for wanted in (f"lgbm/{name}", str(number)):
        text = describe_version(wanted, models, database_url)
        assert text.startswith(f"# lgbm {name} of DEMO\n")
        assert "Parameters of LightGBM" in sections(text)
        assert not {"Parameters of Mamba", "Ensemble"} & set(sections(text))


def test_a_pair_joined_by_hand_has_no_calibration(db, database_url, artifacts, models, name):
    create(db, artifacts, None)
    text = describe_version(name, models, database_url)
    assert "Mamba's weight: as ml_settings says" in text
    assert "Uncalibrated: no probabilities, no prediction intervals" in text


def test_a_version_of_before_says_that_its_drift_is_not_measured(db, published, database_url, models, name):
    db.execute("update model_versions set facts = facts - 'training_distribution' where model_type = 'lgbm'")
    found = sections(describe_version(name, models, database_url))["Features"]
    assert (
        "- LightGBM: nothing, so it is not measured: this version was trained before a distribution was kept" in found
    )
    assert "- Mamba: quantiles" in found


def test_versions_of_two_symbols_with_one_name_are_two_cards(db, database_url, artifacts, models, name):
    for symbol in ("DEMO", "OTHER"):
        register(db, artifacts[1], symbol=symbol, facts={"symbol": symbol})
    text = describe_version(name, models, database_url)
    assert re.findall("^# .*", text, re.MULTILINE) == [f"# lgbm {name} of DEMO", f"# lgbm {name} of OTHER"]


def test_what_is_not_there_is_answered_with_what_is(published, database_url, name, tmp_path):
    for wanted in ("none", "999999", "lgbm/none", "lgbm/", ""):
        with pytest.raises(CandlecastUserError) as error:
            describe_version(wanted, tmp_path, database_url)
        assert f"there is no version '{wanted}'" in error.value.message
        assert error.value.hint == f"There are: lgbm/{name}, mamba/{name}."
    for wanted in ("../lgbm", "tree/1"):
        with pytest.raises(CandlecastUserError, match="is no type of version"):
            describe_version(wanted, tmp_path, database_url)


def test_the_command_prints_it(published, database_url, name, run_cli, tmp_path):
    done = run_cli(database_url, "card", name, "--models-dir", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"# ensemble {name} of DEMO\n")
    done = run_cli(database_url, "card", "tree/1")
    assert done.returncode == 1
    assert "candlecast: 'tree' is no type of version" in done.stderr


def test_a_damaged_folder_is_passed_over(db, database_url, models, name, tmp_path):
    for kind in ("mamba", "lgbm", "ensemble"):
        shutil.copytree(models / kind / name, tmp_path / kind / name)
    (tmp_path / "mamba" / name / "facts.json").write_text("{")
    found = sections(describe_version(name, tmp_path, database_url))
    assert "Parameters of LightGBM" in found
    assert "Parameters of Mamba" not in found
