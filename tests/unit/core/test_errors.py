"""Errors: all are in one module, each with its own SQLSTATE and HINT."""

import ast
import inspect
from collections import Counter

from candlecast.core import errors
from candlecast.core.errors import CandlecastError
from tests.support.paths import ROOT

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Exception)]
RAISED_IN_SQL = [error for error in CLASSES if issubclass(error, CandlecastError) and error is not CandlecastError]


def test_each_has_its_own_sqlstate_and_a_hint():
    codes = Counter(error.sqlstate for error in RAISED_IN_SQL)
    assert codes.most_common(1)[0][1] == 1
    assert codes.keys() == {f"CC{number:03}" for number in range(1, len(codes) + 1)}
    assert all(error.hint and error.__doc__ for error in RAISED_IN_SQL)


def test_no_other_module_defines_a_public_exception():
    bases = {error.__name__ for error in CLASSES} | {"Exception", "RuntimeError", "ValueError"}
    elsewhere = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for folder in ("candlecast", "trainer")
        for path in (ROOT / folder).rglob("*.py")
        if path != ROOT / "candlecast/core/errors.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if bases & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    ]
    assert elsewhere == []
