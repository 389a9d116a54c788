"""`candlecast train` and `candlecast publish`, from candles in a database to a prediction."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from psycopg import conninfo

from candlecast.client.database import connect
from candlecast.core.candle_columns import RAW_COLUMNS
from candlecast.core.errors import CandlecastUserError
from candlecast.trainer.data.dataset import build_dataset, read_dataset
from candlecast.trainer.features import compute_features
from candlecast.trainer.models.artifacts import read_version
from candlecast.trainer.publish import publish
from tests.support.deployment import NEWEST, load_demo

TRAIN = ("train", "--symbol", "DEMO", "--threads", "1", "--time-budget-minutes", "0.05")


@pytest.fixture
def five_days(db):
    load_demo(db, days=5)
    return db


def ensembles(db):
    return db.execute("select id, is_active, is_test, mamba_weight from active_ensembles order by id").fetchall()


def test_rows_from_the_database_equal_the_reference(five_days, database_url):
    # Binary COPY is exact, and the view agrees with the reference up to 1e-9.
    names = ", ".join(f"{name}::double precision" for name in RAW_COLUMNS)
    rows = np.array(
        five_days.execute(
            f"select extract(epoch from open_time)::float8, {names} from candles_1m order by 1"
        ).fetchall(),
        dtype=np.float64,
    )
    candles = {name: rows[:, 1 + column] for column, name in enumerate(RAW_COLUMNS)}
    candles["open_time"] = rows[:, 0].astype(np.int64)
    expected = build_dataset("DEMO", *compute_features(candles), candles["open_time"], candles["close"])
    with connect(database_url) as connection:
        given = read_dataset(connection, "DEMO")
    assert np.array_equal(given.candle_time, expected.candle_time)
    assert np.array_equal(given.returns, expected.returns)
    np.testing.assert_allclose(given.features, expected.features, rtol=1e-9, atol=1e-12)


def test_to_hides_later_candles_also_as_targets(five_days, database_url):
    with connect(database_url) as connection:
        everything = read_dataset(connection, "DEMO")
        start, stop = NEWEST.timestamp() - 2 * 86_400, NEWEST.timestamp() - 86_400
        part = read_dataset(connection, "DEMO", datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(stop, UTC))
    assert part.open_time[0] == start
    assert part.candle_time[-1] == stop - 6 * 60
    inside = (everything.candle_time >= part.candle_time[0]) & (everything.candle_time <= part.candle_time[-1])
    assert np.array_equal(everything.scaled[inside], part.scaled)


def test_train_publishes_the_measured_files(five_days, database_url, run_cli, tmp_path):
    done = run_cli(database_url, *TRAIN, "--models-dir", tmp_path / "models", "--publish", "active")
    assert done.returncode == 0, done.stderr
    for words in ("LightGBM", "Mamba", "ensemble", "always up", "last sign", "95 % interval", "is active"):
        assert words in done.stdout, words
    assert "Mamba, 3 of 3: done in" in done.stderr
    assert max(map(len, done.stdout.splitlines()[:5])) <= 80
    (mamba,) = (tmp_path / "models" / "mamba").iterdir()
    (lgbm,) = (tmp_path / "models" / "lgbm").iterdir()
    facts, files = read_version(lgbm)
    assert f"{100 * facts['accuracy_1m']:.2f}" in done.stdout
    stored = dict(five_days.execute("select model_type, round(accuracy_1m, 4)::float8 from model_versions"))
    assert stored == {
        folder.parent.name: round(json.loads((folder / "facts.json").read_text())["accuracy_1m"], 4)
        for folder in (mamba, lgbm)
    }
    stored_files = """
    select artifact.name, artifact.content
    from model_artifacts as artifact
    inner join model_versions as version on artifact.model_version_id = version.id
    where version.model_type = 'lgbm'
    """
    assert dict(five_days.execute(stored_files)) == files
    predicted = five_days.execute(
        "select horizon, candle_time, probability_up is null from predict_now('DEMO') order by horizon"
    ).fetchall()
    assert predicted == [(horizon, NEWEST, False) for horizon in range(1, 6)]
    assert [row[1:3] for row in ensembles(five_days)] == [(True, False)]


def test_publishing_is_idempotent_per_weight_and_state(db, database_url, artifacts):
    first = publish(*artifacts, "active", None, database_url)
    assert publish(*artifacts, "active", None, database_url) == first
    assert (first.state, first.mamba_weight) == ("active", None)
    second = publish(*artifacts, "test", 0.25, database_url)
    assert [(row[0], row[1], row[2]) for row in ensembles(db)] == [(first.id, True, False), (second.id, False, True)]
    assert float(ensembles(db)[1][3]) == 0.25
    third = publish(*artifacts, "waiting", 0.75, database_url)
    assert third.state == "waiting"
    for weight, publish_as, state in (
        (None, "test", "active already (not changed to on test)"),
        (0.25, "waiting", "on test already (not changed to waiting)"),
        (0.75, "test", "on test"),
    ):
        assert publish(*artifacts, publish_as, weight, database_url).state == state
    assert len(ensembles(db)) == 3


def test_publish_prints_the_stored_weight(db, database_url, artifacts, run_cli):
    folders = ("--mamba", artifacts[0], "--lgbm", artifacts[1])
    done = run_cli(database_url, "publish", *folders, "--as", "waiting", "--weight", "0.00001")
    assert (done.returncode, done.stderr) == (0, "")
    number = ensembles(db)[0][0]
    assert done.stdout == f"Ensemble {number} is waiting; Mamba's weight: 0.0000\n"
    done = run_cli(database_url, "publish", *folders)
    assert "is active; Mamba's weight: from ml_settings" in done.stdout


@pytest.mark.parametrize(
    ("fields", "message"), [({"version": 5}, "version is 5, not a string"), ({"files": ["a"]}, "files")]
)
def test_invalid_facts_are_rejected_with_their_file(database_url, artifacts, tmp_path, run_cli, fields, message):
    copies = [Path(shutil.copytree(folder, tmp_path / folder.parent.name)) for folder in artifacts]
    facts = copies[1] / "facts.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | fields))
    done = run_cli(database_url, "publish", "--mamba", copies[0], "--lgbm", copies[1])
    assert done.returncode == 1
    assert f"candlecast: {facts} does not describe a version: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_train_without_rights_reports_the_role(db, database_url, run_cli, tmp_path):
    name = f"nobody_{os.getpid()}"
    db.execute(f"create role {name} login")
    try:
        url = conninfo.make_conninfo(database_url, options=f"-c role={name}")
        for command, relation in ((TRAIN, "table candles_1m"), (("status",), "view candle_status")):
            done = run_cli(url, *command)
            assert done.returncode == 1
            assert f"candlecast: permission denied for {relation}\nhint: " in done.stderr
            assert "train and publish --as test: candlecast_trainer" in done.stderr
    finally:
        db.execute(f"drop role {name}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda mamba, lgbm: (mamba / "mamba.onnx").write_bytes(b"other"), "does not match its sha256"),
        (lambda mamba, lgbm: golden_of(lgbm, 0.5), "does not reproduce its test vectors"),
    ],
)
def test_a_rejected_pair_leaves_no_rows(db, database_url, artifacts, tmp_path, damage, message):
    copies = [Path(shutil.copytree(folder, tmp_path / folder.parent.name)) for folder in artifacts]
    damage(*copies)
    with pytest.raises(CandlecastUserError, match=message) as error:
        publish(*copies, "active", None, database_url)
    assert error.value.hint
    assert db.execute("select count(*) from model_versions").fetchone() == (0,)
    assert ensembles(db) == []


def golden_of(folder, shift):
    facts = json.loads((folder / "facts.json").read_text())
    facts["golden"]["scaled_returns"][0][0] += shift
    (folder / "facts.json").write_text(json.dumps(facts))


def test_swapped_folders_raise_an_error(db, database_url, artifacts):
    with pytest.raises(CandlecastUserError, match="holds a version of type 'lgbm', not 'mamba'"):
        publish(*reversed(artifacts), "active", None, database_url)


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("--symbol", "ETHUSDT"), "there are no candles of ETHUSDT", "candlecast load FILE... --symbol ETHUSDT"),
        (("--from", "2026-05-01"), "training needs at least 6,000", "6,213 candles without a gap"),
        (("--to", "2026-04-27T13:00:00"), "none of them ends a complete window", "209 candles without a gap"),
        (
            ("--from", "2030-01-01T00:00:00Z"),
            "--from 2030-01-01 00:00 UTC is after the newest candle of DEMO",
            "go from",
        ),
        (("--from", "2026-05-02T17:30+05:30"), "--from 2026-05-02 12:00 UTC is after the newest candle", "05-02 11:59"),
        (("--to", "2020-01-01"), "--to 2020-01-01 00:00 UTC is not after the oldest candle of DEMO", "go from"),
        (("--from", "2026-05-01", "--to", "2026-04-30"), "is not before --to 2026-04-30 00:00 UTC", "go from"),
        (("--test-from", "2026-05-02T10:00:00"), "the test part has 115 rows", "move --test-from"),
    ],
)
def test_train_errors_have_a_remedy(five_days, database_url, run_cli, tmp_path, arguments, message, hint):
    done = run_cli(database_url, *TRAIN, *arguments, "--models-dir", tmp_path / "models")
    assert done.returncode == 1
    assert message in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()
