"""Writes tests/frozen.txt at a release: the sha256 of every SQL file and migration, and the version that released it.

python tests/freeze.py     (make golden runs it too)

A version is released when CHANGELOG.md has a heading for it. Before the first release there is no frozen.txt, and files
are edited in place. After a release its files must not change, because databases have run them. A change goes into a
new file, which can be edited until the next release.
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
    """Parse frozen.txt: path -> (sha256, version)."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {path: (digest, version) for digest, version, path in rows}


def found() -> dict[str, str]:
    """Path -> sha256 of every SQL file and migration."""
    files = [*(ROOT / "db/functions").rglob("*.sql"), *(ROOT / "db/migrations/versions").glob("*.py")]
    return {str(path.relative_to(ROOT)): sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def released(changelog: str) -> set[str]:
    """Versions with a heading in the changelog: ## [0.1.0]."""
    return set(re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE))


def broken(frozen: Frozen, files: dict[str, str], version: str, versions: set[str]) -> list[str]:
    """Violations: released files that changed, and files that a released version does not list."""
    problems = [
        f"{path} was released with {known} and {'was deleted' if path not in files else 'was edited'}: "
        "restore it, and put the change into a new file, the next _vNN"
        for path, (digest, known) in sorted(frozen.items())
        if files.get(path) != digest
    ]
    if version in versions:
        problems += [
            f"{path} is not listed for the released {version}: raise the version in pyproject.toml, or run make golden "
            f"if you are releasing {version}"
            for path in sorted(set(files) - set(frozen))
        ]
    elif versions and not frozen:
        problems.append(f"{', '.join(sorted(versions))} is released, but its files are not in tests/frozen.txt")
    return problems


def frozen_text(frozen: Frozen, files: dict[str, str], version: str) -> str:
    """The new frozen.txt: listed files keep their version, new ones get `version`."""
    rows = [f"{digest}  {frozen.get(path, ('', version))[1]}  {path}" for path, digest in sorted(files.items())]
    return "# sha256, the version that released the file, path: see tests/freeze.py\n" + "\n".join(rows) + "\n"


def read() -> tuple[Frozen, dict[str, str], str, set[str]]:
    """The arguments of `broken`: frozen.txt, the files, the version of pyproject.toml, the released versions."""
    return (
        listed(LIST.read_text()) if LIST.exists() else {},
        found(),
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        released((ROOT / "CHANGELOG.md").read_text()),
    )


def main() -> None:
    """Freeze the files of a new release, or exit with the violations."""
    frozen, files, version, versions = read()
    is_new = version in versions and version not in {known for _, known in frozen.values()}
    problems = broken(frozen, files, version, versions - {version} if is_new else versions)
    if problems:
        sys.exit("\n".join(problems))
    if is_new:
        LIST.write_text(frozen_text(frozen, files, version))


if __name__ == "__main__":
    main()
