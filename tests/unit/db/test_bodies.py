"""PL/Python bodies: import, call, return, from candlecast.server."""

import importlib
import re

import pytest

from tests.support.paths import ROOT

IMPORTS = [
    (path.stem, module, name)
    for path in sorted((ROOT / "db/functions").rglob("*.sql"))
    for module, name in re.findall(r"^from (candlecast[\w.]*) import (\w+)$", path.read_text(), re.MULTILINE)
]


def test_bodies_are_found():
    assert len(IMPORTS) >= 15


@pytest.mark.parametrize(("function", "module", "name"), IMPORTS)
def test_the_import_of_a_body_exists(function, module, name):
    assert module.startswith("candlecast.server."), function
    assert callable(getattr(importlib.import_module(module), name)), function
