"""Writes tests/frozen.txt: the sha256 of every SQL file and migration, with the version that brings it.

python tests/freeze.py     (make golden runs it too)

A file whose version CHANGELOG.md has a heading for is released: databases exist that ran it. It never changes again;
what has to change goes into a new file. A file of a version still to come may change, and frozen.txt says so in review.
"""

import re
import sys
import tomllib
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests/frozen.txt"

Frozen = dict[str, tuple[str, str]]


def listed(text: str) -> Frozen:
    """By path, (sha256, version), from the text of frozen.txt."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {path: (digest, version) for digest, version, path in rows}


def found() -> dict[str, str]:
    """By path, the sha256 of every file that a migration runs or is."""
    files = [*(ROOT / "db/functions").glob("*.sql"), *(ROOT / "db/migrations/versions").glob("*.py")]
    return {str(path.relative_to(ROOT)): sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def released(changelog: str) -> set[str]:
    """Versions that have a heading of their own: ## [0.1.0]."""
    return set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE))


def broken(frozen: Frozen, files: dict[str, str], versions: set[str]) -> list[str]:
    """Released files that were edited or removed."""
    return [
        f"{path} was released with {version} and {'is gone' if path not in files else 'was edited'}"
        for path, (digest, version) in sorted(frozen.items())
        if version in versions and files.get(path) != digest
    ]


def frozen_text(frozen: Frozen, files: dict[str, str], version: str) -> str:
    """The new frozen.txt: known files keep their version, new ones get `version`."""
    rows = [f"{digest}  {frozen.get(path, ('', version))[1]}  {path}" for path, digest in sorted(files.items())]
    return "# sha256, the version that brings the file, path: see tests/freeze.py\n" + "\n".join(rows) + "\n"


def main() -> None:
    """Freeze, or refuse."""
    frozen = listed(LIST.read_text()) if LIST.exists() else {}
    files = found()
    versions = released((ROOT / "CHANGELOG.md").read_text())
    problems = broken(frozen, files, versions)
    if problems:
        sys.exit("\n".join([*problems, "Restore it, and put what has to change into a new file, the next _vNN."]))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    new = sorted(set(files) - set(frozen))
    if new and version in versions:
        sys.exit(f"{version} is released and cannot bring {new[0]}: raise the version in pyproject.toml first.")
    LIST.write_text(frozen_text(frozen, files, version))


if __name__ == "__main__":
    main()
