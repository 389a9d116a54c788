"""The generated pages of docs/reference that need no database are current, and complete."""

import pytest

from candlecast.core.errors import CandlecastError
from tests.support.error_causes import CAUSES
from tests.support.golden_files import assert_golden
from tests.support.paths import ROOT
from tests.support.reference import code, generated, plain

GENERATED = generated()


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_generated_files_are_current(path):
    assert_golden(str(path.relative_to(ROOT)), GENERATED[path])


def test_every_error_of_the_database_has_a_cause():
    assert set(CAUSES) == {error.__name__ for error in CandlecastError.__subclasses__()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("|p - 0.5| < 1", r"\|p - 0.5\| &lt; 1"),
        ("select * from [a, b)", r"select \* from \[a, b)"),
        ("`a < b` or c > d", "`a < b` or c > d"),
        ("two\n lines", "two lines"),
    ],
)
def test_plain_text_shows_as_it_is_in_markdown(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("a <b>", "`a <b>`"), ("<a|b>", "<code>&lt;a&#124;b&gt;</code>")])
def test_code_shows_as_it_is_in_a_table_cell(text, expected):
    assert code(text) == expected
