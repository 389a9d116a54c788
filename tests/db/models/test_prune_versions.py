"""prune_versions(): which model versions it deletes, and that their files are deleted with them."""

from datetime import timedelta

import pytest

from tests.support.deployment import register


@pytest.fixture
def old_versions(db, artifacts):
    """LightGBM v1 to v6, registered 60, 50 .. 10 days ago, and a Mamba, 60 days ago; v2 is in an ensemble."""
    ids = {f"v{n}": register(db, artifacts[1], version=f"v{n}", facts={"version": f"v{n}"}) for n in range(1, 7)}
    ids["mamba"] = register(db, artifacts[0])
    ages = {"mamba": 60} | {f"v{n}": 70 - 10 * n for n in range(1, 7)}
    for name, number in ids.items():
        age = timedelta(days=ages[name])
        db.execute("update model_versions set created_at = now() - %s where id = %s", (age, number))
    db.execute("select create_ensemble(%s, %s)", (ids["mamba"], ids["v2"]))
    return ids


@pytest.mark.parametrize(
    ("arguments", "deleted"),
    [
        ("", ["v1", "v3"]),  # older than 30 days; v2 is in use, v4 to v6 are the newest three
        ("'45 d'", ["v1"]),
        ("'5 d', 1", ["v1", "v3", "v4", "v5"]),
        ("'0 d', 0", ["v1", "v3", "v4", "v5", "v6"]),
        ("'0 d', 0, 'OTHER'", []),
        ("null, 0", []),
        ("'0 d', null", []),
    ],
)
def test_old_versions_are_deleted_unless_in_use(db, old_versions, arguments, deleted):
    files = "select count(*) from model_artifacts where model_version_id = %s"
    each = db.execute(files, (old_versions["v1"],)).fetchone()[0]
    pruned = db.execute(f"select version, model_type, symbol, bytes from prune_versions({arguments})").fetchall()
    assert [row[0] for row in pruned] == deleted
    assert {row[1:3] for row in pruned} <= {("lgbm", "DEMO")}
    assert all(row[3] > 10_000 for row in pruned)
    left = dict(db.execute("select version, id from model_versions where model_type = 'lgbm'").fetchall())
    assert left == {name: number for name, number in old_versions.items() if name not in {*deleted, "mamba"}}
    for name, number in old_versions.items():
        if name != "mamba":
            assert db.execute(files, (number,)).fetchone()[0] == (0 if name in deleted else each)
