"""`candlecast card`: describes a version from the database, or else from its folder."""

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
    """Text by heading, without the brackets in an ensemble's heading."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return {heading.split(" (")[0]: body for heading, body in zip(parts[::2], parts[1::2], strict=True)}


@pytest.fixture(scope="module")
def publication(make_shared_database, template, artifacts):
    """A template database with the ensemble on test, and the result of publishing it."""
    url = make_shared_database(template)
    models, name = artifacts[0].parents[1], artifacts[0].name
    return conninfo.conninfo_to_dict(url)["dbname"], publish_ensemble(models / "ensemble" / name, "test", url)


@pytest.fixture
def published(publication):
    return publication[1]


@pytest.fixture
def database_url(request, make_database, template):
    """A database for each test; with the published ensemble if the test uses the fixture `published`."""
    if "published" in request.fixturenames:
        template, _ = request.getfixturevalue("publication")
    return make_database(template)


def test_the_card_of_an_ensemble_shows_its_facts(published, database_url, models, name, tmp_path):
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
    assert "Calibration on" in found["Ensemble"]
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
            f"- {kind}: quantiles 1/20 apart of {seen['rows']:,} training minutes, and of {seen['days']} single "
            "training days"
        )
        assert expected in found["Features"]
    for limit in facts["limits"]:
        assert f"- {limit}" in found["Known limits"]
    for library, version in facts["libraries"].items():
        assert f"{library} {version}" in found["Made with"]
    assert str(facts["git_commit"] or "not recorded: training did not run in a git clone") in found["Made with"]
    for file in set(lgbm_files) - {"facts.json"}:
        assert f"lgbm/{name}/{file}: sha256 {lgbm_facts['files'][file]}" in found["Made with"]


def test_the_card_from_disk_equals_the_card_from_the_database(published, database_url, models, name, capsys):
    of_database = sections(describe_version(name, models, database_url))
    unreachable = conninfo.make_conninfo(database_url, port=1)
    of_folder = sections(describe_version(name, models, unreachable))
    assert "no connection to the database" in capsys.readouterr().err
    assert set(of_folder) == set(of_database)
    for heading in set(of_folder) - {"Test vectors"}:  # it names the source of the ensemble
        assert sorted(of_folder[heading].splitlines()) == sorted(of_database[heading].splitlines()), heading


def test_an_unpublished_version_is_read_from_its_folder(db, database_url, models, name):
    assert describe_version(name, models, database_url).startswith(f"# ensemble {name} of DEMO\n")


def test_a_type_or_an_id_selects_one_version(db, published, database_url, models, name):
    (number,) = db.execute("select id from model_versions where model_type = 'lgbm'").fetchone()
    for wanted in (f"lgbm/{name}", str(number)):
        text = describe_version(wanted, models, database_url)
        assert text.startswith(f"# lgbm {name} of DEMO\n")
        assert "Parameters of LightGBM" in sections(text)
        assert not {"Parameters of Mamba", "Ensemble"} & set(sections(text))


def test_an_ensemble_created_by_hand_has_no_calibration(db, database_url, artifacts, models, name):
    create(db, artifacts, None)
    text = describe_version(name, models, database_url)
    assert "Mamba's weight: from ml_settings" in text
    assert "Not calibrated: no probabilities, no prediction intervals" in text


def test_a_version_without_distribution_has_no_drift(db, published, database_url, models, name):
    db.execute("update model_versions set facts = facts - 'training_distribution' where model_type = 'lgbm'")
    found = sections(describe_version(name, models, database_url))["Features"]
    assert "- LightGBM: none, so drift is not measured: this version was trained before distributions were" in found
    assert "- Mamba: quantiles" in found


def test_one_name_for_two_symbols_gives_two_cards(db, database_url, artifacts, models, name):
    for symbol in ("DEMO", "OTHER"):
        register(db, artifacts[1], symbol=symbol, facts={"symbol": symbol})
    text = describe_version(name, models, database_url)
    assert re.findall("^# .*", text, re.MULTILINE) == [f"# lgbm {name} of DEMO", f"# lgbm {name} of OTHER"]


def test_an_unknown_version_error_lists_known_versions(published, database_url, name, tmp_path):
    for wanted in ("none", "999999", "lgbm/none", "lgbm/", ""):
        with pytest.raises(CandlecastUserError) as error:
            describe_version(wanted, tmp_path, database_url)
        assert f"there is no version '{wanted}'" in error.value.message
        assert error.value.hint == f"Choose one of: lgbm/{name}, mamba/{name}."
    for wanted in ("../lgbm", "tree/1"):
        with pytest.raises(CandlecastUserError, match="is not a model type"):
            describe_version(wanted, tmp_path, database_url)


def test_the_card_command_prints_the_card(published, database_url, name, run_cli, tmp_path):
    done = run_cli(database_url, "card", name, "--models-dir", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"# ensemble {name} of DEMO\n")
    done = run_cli(database_url, "card", "tree/1")
    assert done.returncode == 1
    assert "candlecast: 'tree' is not a model type" in done.stderr


def test_a_damaged_folder_is_skipped(db, database_url, models, name, tmp_path):
    for kind in ("mamba", "lgbm", "ensemble"):
        shutil.copytree(models / kind / name, tmp_path / kind / name)
    (tmp_path / "mamba" / name / "facts.json").write_text("{")
    found = sections(describe_version(name, tmp_path, database_url))
    assert "Parameters of LightGBM" in found
    assert "Parameters of Mamba" not in found
