"""Replays of three hours of three symbols at 600 times the speed, with random faults of every kind, for 20 seeds."""

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.exchange import ARCHIVE_FAULTS, CONNECTION_FAULTS, FRAME_FAULTS, REQUEST_FAULTS
from tests.support.feeding import replay

SEEDS = range(20)
#: The number for two cores: a replay's clock does not wait for a slow process.
PROCESSES = 2
#: Replays run in shares, ten at a time. With twenty, a loaded machine verifies a simulated hour (six seconds) too late.
SHARES = 4


def test_the_table_equals_the_market_despite_every_fault(make_database, template):
    urls = [make_database(template) for _ in SEEDS]
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        shares = [
            pool.submit(replay, SEEDS[number::SHARES], urls[number::SHARES], 3.0, 600.0) for number in range(SHARES)
        ]
        replays = [one for share in shares for one in share.result()]

    assert {one.seed: one.problems() for one in replays if one.problems()} == {}
    drawn = sum((one.counters.faults for one in replays), Counter())
    # A loaded machine sends fewer requests. A fault must occur if its absence by chance has p < 1/20,000.
    draws = sum(one.counters.klines_drawn for one in replays)
    of_requests = {name for name, rate in REQUEST_FAULTS.items() if draws * rate > 10}
    menu = {*FRAME_FAULTS, *CONNECTION_FAULTS, *of_requests, *ARCHIVE_FAULTS}
    assert menu - set(drawn) == set(), f"{draws} requests"
