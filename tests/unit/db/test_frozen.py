"""Released files never change: tests/frozen.txt has the hash of every SQL file and migration of a release."""

import pytest

from tests import freeze
from tests.freeze import broken, found, frozen_text, listed, read, released


def test_released_files_are_unchanged():
    assert broken(*read()) == []


def test_nothing_is_frozen_before_the_first_release():
    frozen, _, _, versions = read()
    assert {version for _, version in frozen.values()} <= versions


def test_every_object_and_migration_is_checked():
    assert {"db/functions/candles/candles_1m_v01.sql", "db/migrations/versions/0001_admin.py"} <= set(found())


FROZEN = {"a_v01.sql": ("1", "0.1.0"), "b_v01.sql": ("2", "0.2.0")}
AS_RELEASED = {"a_v01.sql": "1", "b_v01.sql": "2"}


@pytest.mark.parametrize(
    ("frozen", "files", "version", "expected"),
    [
        ({}, AS_RELEASED, "0.3.0", []),  # nothing is released
        (FROZEN, AS_RELEASED, "0.2.0", []),
        (FROZEN, AS_RELEASED | {"c_v01.sql": "3"}, "0.3.0", []),  # 0.3.0 is not released yet
        (FROZEN, AS_RELEASED | {"c_v01.sql": "3"}, "0.2.0", ["c_v01.sql is not listed for the released 0.2.0"]),
        (FROZEN, AS_RELEASED | {"a_v01.sql": "9"}, "0.3.0", ["a_v01.sql was released with 0.1.0 and was edited"]),
        (FROZEN, {"b_v01.sql": "2"}, "0.3.0", ["a_v01.sql was released with 0.1.0 and was deleted"]),
    ],
)
def test_a_released_file_must_not_change(frozen, files, version, expected):
    versions = {version for _, version in frozen.values()}
    problems = broken(frozen, files, version, versions)
    assert len(problems) == len(expected)
    for problem, start in zip(problems, expected, strict=True):
        assert problem.startswith(start)


def test_a_heading_in_the_changelog_releases_a_version():
    assert released("# Changelog\n\n## [Unreleased]\n\nsince 0.3.0\n\n## [0.2.0] - 2026-06-01\n\n## [0.1.0]\n") == {
        "0.1.0",
        "0.2.0",
    }


def test_frozen_text_keeps_versions_and_is_readable():
    text = frozen_text(FROZEN, {"a_v01.sql": "1", "b_v01.sql": "2", "c_v01.sql": "3"}, "0.3.0")
    assert listed(text) == {"a_v01.sql": ("1", "0.1.0"), "b_v01.sql": ("2", "0.2.0"), "c_v01.sql": ("3", "0.3.0")}


def test_a_release_freezes_its_files_once(tmp_path, monkeypatch):
    """Nothing is written before the heading exists; afterwards new and changed files are rejected."""
    (tmp_path / "db/functions/topic").mkdir(parents=True)
    (tmp_path / "db/migrations/versions").mkdir(parents=True)
    one = tmp_path / "db/functions/topic/one_v01.sql"
    one.write_text("create table one ();")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("## [Unreleased]\n")
    monkeypatch.setattr(freeze, "ROOT", tmp_path)
    monkeypatch.setattr(freeze, "LIST", tmp_path / "frozen.txt")
    freeze.main()
    assert not freeze.LIST.exists()

    changelog.write_text("## [0.1.0]\n")
    assert len(broken(*read())) == 1, "a release that froze nothing"
    (frozen, files, _, versions) = read()
    assert len(broken(frozen, files, "0.2.0", versions)) == 1, "the next version cannot continue from it either"
    freeze.main()
    assert listed(freeze.LIST.read_text()).keys() == {"db/functions/topic/one_v01.sql"}
    freeze.main()

    one.write_text("create table one (x int);")
    with pytest.raises(SystemExit, match=r"was released with 0\.1\.0 and was edited"):
        freeze.main()
    one.write_text("create table one ();")
    one.with_name("two_v01.sql").write_text("create table two ();")
    with pytest.raises(SystemExit, match=r"two_v01\.sql is not listed for the released 0\.1\.0: raise the version"):
        freeze.main()
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    freeze.main()
    assert len(listed(freeze.LIST.read_text())) == 1, "0.2.0 is not released yet"
