"""The feed runs for weeks and must not import large packages that it does not need."""

import subprocess
import sys

from tests.support.paths import ROOT

LIST_MODULES = "import sys, candlecast.candles.feed.command, candlecast.exchanges.binance; print(*sys.modules)"


def test_the_feed_imports_no_numpy_pyarrow_or_torch():
    done = subprocess.run([sys.executable, "-c", LIST_MODULES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"numpy", "pyarrow", "torch"} & set(done.stdout.split()) == set()
