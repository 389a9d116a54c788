"""Which code made a result: the sha256 of a module and of all of ours that it imports, whatever git knows of it."""

import ast
from collections.abc import Collection, Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("candlecast",)


def code_hash(module: str, without: Collection[str] = ()) -> str:
    """sha256 over the sources of ``module`` and what it imports, directly or not; ``without``: modules passed over."""
    digest = sha256()
    for name, source in sorted(sources(module, without).items()):
        digest.update(f"{name}\n".encode() + source)
    return digest.hexdigest()


def sources(module: str, without: Collection[str] = ()) -> dict[str, bytes]:
    """Sources by module name: ``module`` itself and the modules of ``PACKAGES`` that it imports, directly or not."""
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        spec = find_spec(name) if name not in found and name not in without else None
        if spec is None or not spec.origin:  # seen already, or a name inside a module, or a package without code
            continue
        found[name] = Path(spec.origin).read_bytes()
        waiting.extend(_imported(found[name]))
    return found


def _imported(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from candlecast.core import distribution` names a module, `from candlecast.core.errors import X` none.
            names = [node.module]
            if node.module.split(".")[0] in PACKAGES and _is_package(node.module):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in PACKAGES)


def _is_package(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None
