"""Rules of the repository: the length of names and code, the folders of tests, and how fixtures wait."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT, TESTS

MAX_TEST_NAME = 60
MAX_FUNCTION_LINES = 60
MAX_SERVER_LINES = 160
#: The longest sleep in a fixture, in seconds. Fixtures poll.
MAX_FIXTURE_SLEEP = 1
PACKAGES = {path.parent.name for path in (ROOT / "candlecast").glob("*/__init__.py")}
TOPICS = {path.name for path in (ROOT / "db/functions").iterdir() if path.is_dir()}
TOP_FOLDERS = {"bench", "db", "deploy", "docs", "research"}


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def functions(folder: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """The place and the syntax tree of each function of a folder."""
    for path in modules(folder):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_names_of_tests_are_short():
    tests = {where: test.name for where, test in functions("tests") if test.name.startswith("test_")}
    assert len(tests) > 500
    assert [where for where, name in tests.items() if len(name) > MAX_TEST_NAME] == []


@pytest.mark.parametrize(("kind", "names"), [("unit", PACKAGES | TOP_FOLDERS), ("db", PACKAGES | TOPICS | TOP_FOLDERS)])
def test_test_folders_are_named_for_a_package_or_topic(kind, names):
    paths = [path.relative_to(TESTS / kind) for path in modules(f"tests/{kind}")]
    assert {path.parts[0] for path in paths if len(path.parts) > 1} - names == set()
    in_no_folder = {path.name for path in paths if len(path.parts) == 1}
    assert in_no_folder <= {"conftest.py", Path(__file__).name}


def test_modules_of_the_server_are_short():
    lengths = {path.name: len(path.read_text().splitlines()) for path in modules("candlecast/server")}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_SERVER_LINES} == {}


def sleeps_long(function: ast.AST) -> bool:
    """Whether it sleeps longer than MAX_FIXTURE_SLEEP, or for a computed time."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    slept = [call.args[0] for call in calls if ast.unparse(call.func) in ("time.sleep", "asyncio.sleep")]
    return any(not isinstance(one, ast.Constant) or one.value > MAX_FIXTURE_SLEEP for one in slept)


def test_fixtures_poll_instead_of_sleeping():
    found = functions("tests")
    fixtures = {
        where: one for where, one in found if any("fixture" in ast.unparse(mark) for mark in one.decorator_list)
    }
    assert len(fixtures) > 50
    assert [where for where, fixture in fixtures.items() if sleeps_long(fixture)] == []


def test_functions_of_the_product_are_short():
    found = (one for folder in ("candlecast", "trainer", "db") for one in functions(folder))
    lengths = {where: function.end_lineno - function.lineno + 1 for where, function in found}
    assert len(lengths) > 500
    assert {where: lines for where, lines in lengths.items() if lines > MAX_FUNCTION_LINES} == {}


def test_the_table_of_places_names_existing_files():
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Where things are")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!to find|---).*\| (.*) \|$", section, flags=re.MULTILINE)
    assert len(rows) > 20
    for row in rows:
        folder = ROOT
        for name in re.findall(r"`([\w/.*<>]+)`", row):
            path = re.sub(r"<\w+>", "*", name)
            found = [*ROOT.glob(path), *folder.glob(path)]
            assert found, f"{name} of: {row}"
            folder = found[0].parent  # a bare name after it is in the same folder
