"""What is released never changes: every SQL file and migration has the hash that tests/frozen.txt says."""

import pytest

from tests.freeze import LIST, ROOT, broken, found, frozen_text, listed, released


def test_files_are_as_frozen():
    frozen, files = listed(LIST.read_text()), found()
    assert broken(frozen, files, released((ROOT / "CHANGELOG.md").read_text())) == []
    assert {path: digest for path, (digest, _) in frozen.items()} == files, "meant, and not released yet: make golden"


def test_the_list_holds_every_object_and_migration():
    paths = set(listed(LIST.read_text()))
    assert {"db/functions/candles_1m_v01.sql", "db/migrations/versions/0001_roles_and_extensions.py"} <= paths


FROZEN = {"a_v01.sql": ("1", "0.1.0"), "b_v01.sql": ("2", "0.2.0")}


@pytest.mark.parametrize(
    ("files", "versions", "expected"),
    [
        ({"a_v01.sql": "1", "b_v01.sql": "2"}, {"0.1.0"}, []),
        ({"a_v01.sql": "9", "b_v01.sql": "2"}, {"0.1.0"}, ["a_v01.sql was released with 0.1.0 and was edited"]),
        ({"b_v01.sql": "2"}, {"0.1.0"}, ["a_v01.sql was released with 0.1.0 and is gone"]),
        ({"a_v01.sql": "1", "b_v01.sql": "9"}, {"0.1.0"}, []),  # 0.2.0 is still to come
        (
            {"a_v01.sql": "1", "b_v01.sql": "9"},
            {"0.1.0", "0.2.0"},
            ["b_v01.sql was released with 0.2.0 and was edited"],
        ),
        ({"a_v01.sql": "9", "b_v01.sql": "9"}, set(), []),
    ],
)
def test_only_what_is_released_is_untouchable(files, versions, expected):
    assert broken(FROZEN, files, versions) == expected


def test_a_version_is_released_by_its_heading():
    assert released("# Changelog\n\n## [Unreleased]\n\nsince 0.3.0\n\n## [0.2.0] - 2026-06-01\n\n## [0.1.0]\n") == {
        "0.1.0",
        "0.2.0",
    }


def test_freezing_keeps_versions_and_reads_back():
    text = frozen_text(FROZEN, {"a_v01.sql": "1", "b_v01.sql": "9", "c_v01.sql": "3"}, "0.3.0")
    assert listed(text) == {"a_v01.sql": ("1", "0.1.0"), "b_v01.sql": ("9", "0.2.0"), "c_v01.sql": ("3", "0.3.0")}
