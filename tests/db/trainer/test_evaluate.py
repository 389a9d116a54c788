"""`candlecast evaluate`, from candles in a database to figures, and its errors."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from candlecast.client.database import connect
from candlecast.core.errors import CandlecastUserError, LookAhead
from candlecast.core.feature_names import FEATURES
from candlecast.trainer.data.dataset import read_dataset
from candlecast.trainer.data.lookahead import check_no_lookahead
from candlecast.trainer.evaluate import RESULT, SHUFFLED_RESULT, EvaluateOptions, evaluate
from candlecast.trainer.evaluation.document import make_document
from candlecast.trainer.evaluation.walk_forward import FORECASTS, concatenate_folds, read_fold
from candlecast.trainer.models.training import TrainingOptions
from tests.support.artifacts import small_options
from tests.support.deployment import load_demo
from tests.support.paths import ROOT

EVALUATE = ("evaluate", "--symbol", "DEMO", "--threads", "1", "--mamba-seeds", "1", "--time-budget-minutes", "0.02")
#: Options with enough rows for both folds of five days of candles.
FOLDS = ("--folds", "2", "--test-from", "2026-05-01")
MAY = datetime(2026, 5, 1, tzinfo=UTC)
PLOTS = {"accuracy_by_fold.png", "accuracy_by_coverage.png", "reliability.png", "returns.png"}
SQL = ROOT / "db/functions/features"


@pytest.fixture
def five_days(db):
    load_demo(db, days=5)
    return db


def test_evaluate_prints_its_files_and_reuses_folds(five_days, database_url, run_cli, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "evaluation"
    command = (*EVALUATE, *FOLDS, "--output-dir", folder)
    done = run_cli(database_url, *command, env={"COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    assert "…" not in done.stdout
    for words in (*FORECASTS, "balanced", "ECE", "10 %", "net, 5 bps", "McNemar", "Ensemble minus each rival"):
        assert words in done.stdout, words
    assert "Fold 2: Mamba: done in" in done.stderr

    document = json.loads((folder / RESULT).read_text())
    files = [fold["file"] for fold in document["folds"]]
    assert {path.name for path in folder.iterdir()} == {RESULT, *PLOTS, *files}
    recomputed = make_document(concatenate_folds([read_fold(folder / file) for file in files]))
    for name, value in json.loads(json.dumps(recomputed)).items():
        assert document[name] == value, name
    assert document["look_ahead_guard"] == {"rows_checked": 200}
    assert document["options"]["mamba_seeds"] == 1
    accuracy = document["forecasts"]["ensemble"]["1"]["accuracy"]
    assert f"{100 * accuracy['value']:.2f} ±{100 * (accuracy['high'] - accuracy['value']):.2f}" in done.stdout
    assert five_days.execute("select count(*) from model_versions").fetchone() == (0,)

    monkeypatch.setenv("COLUMNS", "100")
    assert evaluated(database_url, folds=2, test_from=MAY, output=folder) == folder
    again = capsys.readouterr()
    assert "Mamba" not in again.err
    assert again.out == done.stdout

    evaluated(database_url, folds=2, fold=2, test_from=MAY, output=folder)
    assert "Mamba" not in capsys.readouterr().err
    alone = json.loads((folder / "fold-2" / RESULT).read_text())
    assert [fold["fold"] for fold in alone["folds"]] == [2]
    assert alone["forecasts"]["ensemble"]["1"]["accuracy"] == document["folds"][1]["accuracy"]["ensemble"]["1"]
    assert {path.name for path in (folder / "fold-2").iterdir()} > PLOTS

    real = (folder / RESULT).read_bytes()
    evaluated(database_url, folds=2, fold=2, test_from=MAY, shuffled_runs=4, training=small_options(), output=folder)
    assert (folder / RESULT).read_bytes() == real
    shuffled = json.loads((folder / SHUFFLED_RESULT).read_text())
    assert [[fold["fold"] for fold in run["folds"]] for run in shuffled["runs"]] == [[2]] * 4
    assert "Fold 1" not in capsys.readouterr().err


def test_an_unknown_fold_raises_an_error(five_days, database_url):
    with pytest.raises(CandlecastUserError, match="no fold 3 of 2"):
        evaluated(database_url, folds=2, fold=3)


def plant_leak(db):
    """Replace features_between: log_return_5m uses the next minute's close. Other columns do not change."""
    newest = max(SQL.glob("features_between_v*.sql")).read_text()
    correct = "ln(close / close_5)"
    assert newest.count(correct) == 1
    db.execute(newest.replace(correct, "ln(coalesce(lead(close) over (order by open_time), close) / close_5)"))


def test_look_ahead_is_detected_before_training(five_days, database_url, run_cli, tmp_path):
    plant_leak(five_days)
    done = run_cli(database_url, *EVALUATE, *FOLDS, "--output-dir", tmp_path / "evaluation")
    assert done.returncode == 1
    assert "candlecast: look-ahead: the row of DEMO at 2026-" in done.stderr
    assert " has log_return_5m " in done.stderr
    assert "hint: A row may depend only on the 150 candles up to its own minute." in done.stderr
    assert "Traceback" not in done.stderr
    assert "LightGBM" not in done.stderr
    assert not (tmp_path / "evaluation").exists()


def test_the_guard_compares_rows_with_stored_candles(five_days, database_url):
    with connect(database_url) as connection:
        dataset = read_dataset(connection, "DEMO")
        assert check_no_lookahead(connection, "DEMO", dataset) == 200
        assert check_no_lookahead(connection, "DEMO", dataset, sample=10, seed=1) == 10
        features = dataset.features.copy()
        features[:-1, -1] = features[1:, -1]
        with pytest.raises(LookAhead, match=f"has {FEATURES[-1]} "):
            check_no_lookahead(connection, "DEMO", replace(dataset, features=features))
        five_days.execute("update candles_1m set close = close * 1.00001, high = high * 1.1")
        with pytest.raises(LookAhead, match="has high "):
            check_no_lookahead(connection, "DEMO", dataset)


def test_gaps_and_stored_spreads_are_not_leaks(five_days, database_url):
    five_days.execute("delete from candles_1m where open_time = '2026-04-30 07:00Z'")
    five_days.execute("update candles_1m set spread_bps = 1.5 where extract(minute from open_time)::int % 2 = 0")
    with connect(database_url) as connection:
        dataset = read_dataset(connection, "DEMO")
        assert check_no_lookahead(connection, "DEMO", dataset) == 200
    assert len(np.unique(dataset.features[:, FEATURES.index("spread_bps")])) > 2


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ({"symbol": "ETHUSDT"}, "there are no candles of ETHUSDT", "candlecast load FILE... --symbol ETHUSDT"),
        ({"folds": 5, "test_from": MAY}, r"fold 1 of 5: the test part has 43\d rows", "move --test-from"),
        ({"folds": 4}, "fold 1 of 4: the training part has 1,7", "move --test-from"),
        ({"folds": 2, "shuffled_runs": 1}, "2 trainings on shuffled labels are too few", "--shuffle-labels"),
        (
            {"folds": 2, "test_from": MAY, "output": Path("/proc/1/nowhere")},
            "/proc/1/nowhere cannot be written: ",
            "--output-dir",
        ),
    ],
)
def test_evaluate_errors_have_a_remedy(five_days, database_url, arguments, message, hint):
    with pytest.raises(CandlecastUserError, match=message) as error:
        evaluated(database_url, **arguments)
    assert hint in error.value.hint


def evaluated(url, symbol="DEMO", **changed):
    """The command EVALUATE, in this process."""
    training = TrainingOptions(threads=1, mamba_seeds=1, mamba_budget_seconds=60 * 0.02)
    return evaluate(symbol, EvaluateOptions(**{"training": training} | changed), url)
