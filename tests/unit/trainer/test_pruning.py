"""Which folders under models/ are removed, and which are kept."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from candlecast.trainer.pruning import prune_folders, sweep

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def version(models, kind, name, days_old, symbol="DEMO", joins=None):
    folder = models / kind / name
    folder.mkdir(parents=True)
    trained_at = (NOW - timedelta(days=days_old)).isoformat()
    facts = {"model_type": kind, "symbol": symbol, "version": name, "trained_at": trained_at}
    for model_type, joined in (joins or {}).items():
        facts[model_type] = {"version": joined, "facts_sha256": "0" * 64}
    (folder / "facts.json").write_text(json.dumps(facts))
    (folder / "weights").write_text("x")
    return folder


def pair(models, name, days_old):
    for kind in ("mamba", "lgbm"):
        version(models, kind, name, days_old)
    version(models, "ensemble", name, days_old, joins={"mamba": name, "lgbm": name})


def left(models):
    return sorted(str(path.relative_to(models)) for path in models.glob("*/*"))


@pytest.mark.parametrize(
    ("named", "days", "keep", "expected"),
    [
        (set(), 30, 3, {"b", "c", "d"}),  # a is old, and not among the newest three
        (set(), 30, 1, {"d"}),  # a, b and c are over 30 days old
        (set(), 30, 0, {"d"}),
        (set(), 1, 0, set()),
        (set(), 365, 0, {"a", "b", "c", "d"}),
        ({("mamba", "a"), ("lgbm", "a")}, 30, 1, {"a", "d"}),
        ({("mamba", "c"), ("lgbm", "c")}, 1, 0, {"c"}),
    ],
)
def test_prune_folders_follows_age_use_and_rank(tmp_path, named, days, keep, expected):
    for name, age in (("a", 90), ("b", 60), ("c", 40), ("d", 2)):
        pair(tmp_path, name, age)
    removed = prune_folders(tmp_path, "DEMO", named, days, keep, NOW)
    assert left(tmp_path) == sorted(f"{kind}/{name}" for kind in ("mamba", "lgbm", "ensemble") for name in expected)
    assert len(removed) == 3 * (4 - len(expected))


def test_a_used_version_alone_does_not_keep_its_ensemble(tmp_path):
    pair(tmp_path, "a", 90)
    prune_folders(tmp_path, "DEMO", {("mamba", "a")}, 30, 0, NOW)
    assert left(tmp_path) == ["mamba/a"]


def test_versions_of_a_kept_ensemble_are_kept(tmp_path):
    version(tmp_path, "mamba", "old", 90)
    version(tmp_path, "lgbm", "old", 90)
    version(tmp_path, "ensemble", "new", 2, joins={"mamba": "old", "lgbm": "old"})
    assert prune_folders(tmp_path, "DEMO", set(), 30, 0, NOW) == []


def test_other_symbols_and_other_folders_are_not_removed(tmp_path):
    version(tmp_path, "mamba", "other", 90, symbol="OTHER")
    version(tmp_path, "mamba", "misplaced", 90).joinpath("facts.json").write_text('{"model_type": "lgbm"}')
    version(tmp_path, "mamba", "broken", 90).joinpath("facts.json").write_text("{")
    (tmp_path / "mamba" / "notes").mkdir()
    (tmp_path / "mamba" / "README").write_text("mine")
    assert prune_folders(tmp_path, "DEMO", set(), 30, 0, NOW) == []
    assert len(left(tmp_path)) == 5


def test_sweep_removes_only_old_hidden_folders(tmp_path):
    complete = version(tmp_path, "lgbm", "20260101T000000Z", 150)
    killed, running, pruned = (
        tmp_path / "lgbm" / name
        for name in (".20260102T000000Z-ab", ".20260103T000000Z-cd", ".20260101T000000Z-pruned")
    )
    for folder in (killed, running, pruned):
        folder.mkdir()
        (folder / "facts.json").write_text("half")
    for folder in (complete, killed, pruned):
        os.utime(folder, (1, 1))
    assert sorted(sweep(tmp_path)) == sorted([killed, pruned])
    assert complete.exists()
    assert running.exists(), "another run may be writing it"
    assert sweep(tmp_path / "nothing") == []
