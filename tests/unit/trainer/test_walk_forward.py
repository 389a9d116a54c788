"""Walk-forward runs on synthetic candles: collected rows, stored folds, and the figures of a run."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from candlecast.core.feature_names import FEATURES
from candlecast.trainer.data.splits import split_walk_forward
from candlecast.trainer.evaluation import walk_forward
from candlecast.trainer.evaluation.document import describe_difference, make_document, make_shuffled_document
from candlecast.trainer.evaluation.plots import write_plots
from candlecast.trainer.evaluation.tables import tables, verdict
from candlecast.trainer.evaluation.walk_forward import (
    ENSEMBLE,
    FORECASTS,
    LAST_SIGN,
    LIGHTGBM,
    MAJORITY,
    MAMBA,
    REVERSAL,
    forecast_folds,
    shuffle_labels,
)
from candlecast.trainer.models.training import forecast_pair, train_pair
from tests.support.artifacts import generated_dataset, small_options


@pytest.fixture(scope="module")
def dataset():
    return generated_dataset(10_000)


@pytest.fixture(scope="module")
def splits(dataset):
    return split_walk_forward(dataset.candle_time, 2, test_from=int(dataset.candle_time[5_000]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def rows(dataset, splits, folder):
    return forecast_folds(dataset, splits, small_options(), folder)


@pytest.fixture(scope="module")
def document(rows):
    return make_document(rows)


def forbidden(title):
    raise AssertionError(f"{title}: trained again")


def test_rows_are_the_test_rows_of_all_folds_in_time_order(dataset, splits, rows):
    tested = np.concatenate([split.test for split in splits])
    assert np.array_equal(rows.candle_time, dataset.candle_time[tested])
    assert np.array_equal(rows.returns, dataset.returns[tested])
    np.testing.assert_allclose(rows.scaled, dataset.scaled[tested], rtol=1e-12)
    assert np.array_equal(rows.fold, np.repeat([1, 2], [len(split.test) for split in splits]))
    assert tuple(rows.forecasts) == FORECASTS
    assert [fact["test"]["rows"] for fact in rows.facts] == [len(split.test) for split in splits]


def test_forecasts_equal_a_pair_trained_on_the_fold(dataset, splits, rows):
    pair = train_pair(dataset, splits[1], small_options())
    expected = forecast_pair(pair, dataset, splits[1].test)
    second = rows.fold == 2
    assert np.array_equal(rows.forecasts[ENSEMBLE].scaled[second], expected.ensemble)
    assert np.array_equal(rows.forecasts[ENSEMBLE].probability[second], expected.probability_up)
    assert np.array_equal(rows.forecasts[MAMBA].scaled[second], expected.mamba)
    assert np.array_equal(rows.forecasts[LIGHTGBM].scaled[second], expected.lgbm)
    assert np.array_equal(rows.lower[second], expected.lower)
    assert rows.facts[1]["weight"]["weight"] == pair.weight.weight


def test_baselines_follow_base_rates_and_last_signs(dataset, splits, rows):
    last = dataset.features[dataset.ends[splits[0].test], FEATURES.index("log_return_1m")]
    first = rows.fold == 1
    assert np.array_equal(rows.forecasts[LAST_SIGN].scaled[first, 3], np.sign(last))
    assert np.array_equal(rows.forecasts[REVERSAL].scaled, -rows.forecasts[LAST_SIGN].scaled)
    training = dataset.scaled[splits[0].training, 2]
    share = (training > 0).sum() / (training != 0).sum()
    assert (rows.forecasts[MAJORITY].probability[first, 2] == share).all()
    assert (rows.forecasts[MAJORITY].scaled[first, 2] == (1 if share >= 0.5 else -1)).all()


def test_models_beat_the_baselines_on_a_signal(document):
    for name in ("ridge", "logistic", MAMBA, LIGHTGBM, ENSEMBLE):
        figures = document["forecasts"][name]["all"]
        assert figures["accuracy"]["low"] > 0.5, name
        assert figures["brier_skill_over_base_rate"]["low"] > 0, name


def test_a_finished_run_is_not_trained_again(dataset, splits, folder, rows):
    again = forecast_folds(dataset, splits, small_options(), folder, stage=forbidden)
    for name in ("candle_time", "fold", "returns", "scale", "base_rate", "lower", "upper", "distance"):
        assert np.array_equal(getattr(again, name), getattr(rows, name)), name
    for name, one in rows.forecasts.items():
        assert again.forecasts[name].kind is one.kind
        assert np.array_equal(again.forecasts[name].scaled, one.scaled)
        assert (again.forecasts[name].probability is None) == (one.probability is None)
    assert json.loads(json.dumps(rows.facts)) == again.facts


@pytest.mark.parametrize(
    "changed",
    [
        lambda dataset, options: (dataset, replace(options, seed=9), None),
        lambda dataset, options: (dataset, replace(options, lgbm=replace(options.lgbm, num_leaves=8)), None),
        lambda dataset, options: (replace(dataset, scaled=dataset.scaled + 1e-9), options, None),
        lambda dataset, options: (dataset, options, 1),
    ],
)
def test_other_options_data_or_labels_are_trained_again(dataset, splits, folder, rows, changed):
    other, options, seed = changed(dataset, small_options())
    with pytest.raises(AssertionError, match=r"Fold 1: .* trained again"):
        forecast_folds(other, splits, options, folder, stage=forbidden, shuffle_seed=seed)


def test_folds_of_another_format_are_trained_again(dataset, splits, folder, rows, monkeypatch):
    monkeypatch.setattr(walk_forward, "FOLD_FORMAT", walk_forward.FOLD_FORMAT + 1)
    with pytest.raises(AssertionError, match=r"Fold 1: .* trained again"):
        forecast_folds(dataset, splits, small_options(), folder, stage=forbidden)


def test_an_interrupted_run_continues_with_the_missing_fold(dataset, splits, tmp_path, rows, folder):
    titles = []

    def interrupted(title):
        titles.append(title)
        if title.startswith("Fold 2"):
            raise KeyboardInterrupt
        return nullcontext(lambda *_: None)

    with pytest.raises(KeyboardInterrupt):
        forecast_folds(dataset, splits, small_options(), tmp_path, stage=interrupted)
    assert titles[0].startswith("Fold 1")
    (kept,) = tmp_path.iterdir()
    (tmp_path / rows.facts[1]["file"]).write_bytes((folder / rows.facts[1]["file"]).read_bytes()[:-100])
    titles.clear()
    with pytest.raises(KeyboardInterrupt):  # a damaged file is not used
        forecast_folds(dataset, splits, small_options(), tmp_path, stage=interrupted)
    assert [title.startswith("Fold 2") for title in titles] == [True]
    (tmp_path / rows.facts[1]["file"]).write_bytes((folder / rows.facts[1]["file"]).read_bytes())
    again = forecast_folds(dataset, splits, small_options(), tmp_path, stage=forbidden)
    assert np.array_equal(again.forecasts[ENSEMBLE].scaled, rows.forecasts[ENSEMBLE].scaled)
    assert kept.name == rows.facts[0]["file"]


def test_only_training_and_validation_labels_are_shuffled(dataset, splits):
    split = splits[1]
    given = shuffle_labels(dataset, split, 3)
    assert np.array_equal(given.features, dataset.features)
    changed = (given.scaled != dataset.scaled).any(axis=1)
    trained = np.zeros(len(changed), bool)
    trained[np.concatenate([split.training, split.validation])] = True
    assert not changed[~trained].any()
    assert not (given.returns != dataset.returns)[~trained].any()
    assert changed[trained].mean() > 0.99
    for rows in (split.training, split.validation):
        before, after = (one.scaled[rows][np.lexsort(one.scaled[rows].T)] for one in (dataset, given))
        assert np.array_equal(before, after), "the permutation separates a row's five labels"
        assert abs(np.corrcoef(dataset.scaled[rows, 0], given.scaled[rows, 0])[0, 1]) < 0.1
    assert np.array_equal(shuffle_labels(dataset, split, 3).scaled, given.scaled)
    assert not np.array_equal(shuffle_labels(dataset, split, 4).scaled, given.scaled)


@pytest.fixture(scope="module")
def shuffled_document(dataset, splits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shuffled")
    options = replace(small_options(), mamba_seeds=1)
    return make_shuffled_document(
        {seed: forecast_folds(dataset, splits, options, folder, shuffle_seed=seed) for seed in range(20, 23)}
    )


def test_shuffled_labels_give_no_skill(shuffled_document):
    assert shuffled_document["level"] == pytest.approx(0.99)
    for name, by_horizon in shuffled_document["auc"].items():
        for horizon in "12345":
            auc = by_horizon[horizon]
            assert auc["low"] <= 0.5 <= auc["high"], (name, horizon)
            assert auc["high"] - auc["low"] < 0.25
    assert set(shuffled_document["holds"].values()) == {True}
    assert len(shuffled_document["runs"]) == 3


def test_a_leak_past_the_shuffling_is_detected(rows):
    """Models that were trained on real labels are passed as models of shuffled labels."""
    assert set(make_shuffled_document({0: rows, 1: rows})["holds"].values()) == {False}


def test_document_figures_equal_those_of_the_rows(rows, document):
    forecasts = rows.forecasts[ENSEMBLE]
    for column, horizon in enumerate("12345"):
        moved = rows.returns[:, column] != 0
        up, scaled = rows.returns[moved, column] > 0, forecasts.scaled[moved, column]
        given = document["forecasts"][ENSEMBLE][horizon]
        assert given["rows"] == moved.sum()
        assert given["accuracy"]["value"] == pytest.approx(np.mean((scaled > 0) == up))
        assert given["auc"]["value"] == pytest.approx(roc_auc_score(up, scaled))
        inside = (rows.scaled >= rows.lower) & (rows.scaled <= rows.upper)
        assert given["interval_coverage"]["value"] == pytest.approx(inside[:, column].mean())
        first = (rows.fold == 1) & moved
        expected = np.mean((forecasts.scaled[first, column] > 0) == (rows.returns[first, column] > 0))
        assert document["folds"][0]["accuracy"][ENSEMBLE][horizon]["value"] == pytest.approx(expected)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["forecasts"][MAJORITY]["1"]["auc"]["value"] is None


def test_comparisons_are_of_neighbors_and_of_the_ensemble(document):
    pairs = [(one["first"], one["second"]) for one in document["comparisons"]]
    assert pairs == list(zip(FORECASTS[1:], FORECASTS[:-1], strict=True))
    against = {one["second"]: one for one in document["verdicts"]["against"]}
    assert against.keys() == set(FORECASTS) - {ENSEMBLE}
    accuracy = {name: document["forecasts"][name]["1"]["accuracy"]["value"] for name in FORECASTS}
    for name, one in against.items():
        given = one["horizons"]["1"]["accuracy"]
        assert given["value"] == pytest.approx(accuracy[ENSEMBLE] - accuracy[name])
        assert one["says"]["1"] == describe_difference(given)
    assert against[LAST_SIGN]["says"]["1"] == "better"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.2, "better"), (-0.2, -0.1, "worse"), (-0.1, 0.1, "no difference shown"), (0.0, 0.0, "the same")],
)
def test_describe_difference_follows_the_interval(low, high, words):
    assert describe_difference({"low": low, "high": high}) == words


def test_tables_fit_into_100_columns(document):
    from rich.console import Console

    console = Console(width=100, record=True, file=None)
    with console.capture() as captured:
        for one in (*tables(document), *verdict(document)):
            console.print(one)
    text = captured.get()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100
    accuracy = document["forecasts"][ENSEMBLE]["5"]["accuracy"]
    assert f"{100 * accuracy['value']:.2f} ±{100 * (accuracy['high'] - accuracy['value']):.2f}" in text


def test_plots_are_drawn_from_the_document(document, tmp_path):
    paths = write_plots(document, tmp_path)
    assert [path.name for path in paths] == [
        "accuracy_by_fold.png",
        "accuracy_by_coverage.png",
        "reliability.png",
        "returns.png",
    ]
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 20_000


def test_a_subset_of_forecasts_can_be_evaluated(dataset, splits, tmp_path):
    rows = forecast_folds(dataset, splits[:1], small_options(), tmp_path, forecasts=(LAST_SIGN, LIGHTGBM))
    assert set(rows.forecasts) == {LAST_SIGN, LIGHTGBM}
    document = make_document(rows)
    assert [(one["first"], one["second"]) for one in document["comparisons"]] == [(LIGHTGBM, LAST_SIGN)]
    assert document["verdicts"] == {}
    assert list(verdict(document)) == []
    assert len(list(tables(document))) == 3
    assert [path.name for path in write_plots(document, tmp_path)] == ["accuracy_by_fold.png"]
