"""What the feed's benchmarks share: a scratch database, the tests' stand-in exchange, how a process is measured.

The database of --database-url is only where the scratch one is created; its owner must be a superuser.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil
from psycopg import conninfo

from bench.programs import CANDLECAST, ROOT, migrate
from candlecast.client.database import connect

sys.path.append(str(ROOT / "tests"))
# The stand-in and what replays it are the tests': one exchange, one notion of what the table must hold.
from exchange import Faults, Market, Row, StandIn
from exchange.frames import kline_frame
from feeding import Replay, difference, replay, watch

__all__ = [
    "Faults", "Market", "Replay", "Row", "StandIn", "difference", "kline_frame", "replay", "watch",
]  # fmt: skip

#: `candlecast feed` as this interpreter's process.
FEED = (*CANDLECAST, "feed")
FEED_OF_A_REPLAY = (sys.executable, "-m", "tests.support.feed_process")


class Cost(NamedTuple):
    """What a process has cost so far, and holds."""

    seconds: float  #: CPU, user and system
    rss: float  #: MB
    pss: float  #: MB


def cost_of(pid: int) -> Cost:
    """Of a process of this machine."""
    process = psutil.Process(pid)
    times, memory = process.cpu_times(), process.memory_full_info()
    return Cost(times.user + times.system, memory.rss / 1e6, memory.pss / 1e6)


def generated_symbols(count: int) -> list[str]:
    """Symbols that no recorded candles exist of."""
    return [f"MADE{number:03d}USDT" for number in range(count)]


@contextmanager
def scratch_database(url: str | None, name: str = "candlecast_bench_feed") -> Iterator[str]:
    """A new database beside that of the URL, migrated; dropped afterwards."""
    with connect(url) as admin:
        address = conninfo.make_conninfo(admin.info.dsn, password=admin.info.password or None, dbname=name)
        admin.execute(f"drop database if exists {name} with (force)")
        admin.execute(f"create database {name}")
        try:
            migrate(address)
            yield address
        finally:
            admin.execute(f"drop database if exists {name} with (force)")
