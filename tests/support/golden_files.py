"""Compares text with a golden file, which a reviewer reads as a diff.

`make golden` updates the files (as does GOLDEN=write before a test run). Read the diff, then commit it.
"""

import difflib
import os
import re
import subprocess

import pytest

from tests.support.paths import ROOT


def assert_golden(name: str, text: str) -> None:
    """Compare `text` with the file `name` of the repository; with GOLDEN=write in the environment write it."""
    path = ROOT / name
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text)
        return
    golden = path.read_text() if path.exists() else ""
    if text != golden:
        difference = "\n".join(
            difflib.unified_diff(golden.splitlines(), text.splitlines(), name, "generated now", "", "", 2, "")
        )
        pytest.fail(f"{name} differs. If the change is intended, run make golden.\n{difference}", pytrace=False)


def dump(url: str, *options: str) -> str:
    """What pg_dump says of a database, without what differs between two runs, servers or superusers."""
    done = subprocess.run(
        ["pg_dump", "--dbname", url, "--exclude-table=public.candlecast_version", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [
        line for line in done.stdout.splitlines() if not re.match(r"--|SET |\\|SELECT pg_catalog.set_config", line)
    ]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return re.sub(r"(OWNER TO|FOR ROLE) (?!candlecast_|pg_)\w+", r"\1 superuser", text) + "\n"
