"""Three hours of three symbols at 600 times the speed, every fault of the menu drawn at random, twenty seeds."""

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.exchange import ARCHIVE_FAULTS, CONNECTION_FAULTS, FRAME_FAULTS, REQUEST_FAULTS
from tests.support.feeding import replay

SEEDS = range(20)
#: Two cores bear so many; a replay's clock does not wait for who is late.
PROCESSES = 2


def test_whatever_breaks_the_table_is_what_happened(make_database, template):
    urls = [make_database(template) for _ in SEEDS]
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        shares = [
            pool.submit(replay, SEEDS[number::PROCESSES], urls[number::PROCESSES], 3.0, 600.0)
            for number in range(PROCESSES)
        ]
        replays = [one for share in shares for one in share.result()]

    assert {one.seed: one.problems() for one in replays if one.problems()} == {}
    drawn = sum((one.counters.faults for one in replays), Counter())
    # A loaded machine asks less in the time: only what is missing by no chance (one in 20,000) is missing.
    draws = sum(one.counters.klines_drawn for one in replays)
    of_requests = {name for name, rate in REQUEST_FAULTS.items() if draws * rate > 10}
    menu = {*FRAME_FAULTS, *CONNECTION_FAULTS, *of_requests, *ARCHIVE_FAULTS}
    assert menu - set(drawn) == set(), f"{draws} requests"
