"""Paths of the repository."""

from pathlib import Path

#: The repository.
ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
#: Real candles, which are not part of the repository.
SHARED_DATA = ROOT.parent / "shared" / "data"
