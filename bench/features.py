"""What the features cost: a year of ``features_1m``, and the newest 60 rows at 3 months against 5 years of candles.

    python bench/features.py --database-url postgresql:///scratch

Writes generated candles under a symbol of its own in a transaction that is rolled back. That leaves dead rows
behind, so give it a throw-away database, or VACUUM afterwards.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer

from candlecast.client.database import connect
from candlecast.core.feature_names import FEATURES, SEQUENCE_LENGTH

SYMBOL = "BENCHMARK"
YEAR = 525_600
QUARTER = 129_600
END = 1_767_225_600  # 2026-01-01 00:00 UTC
#: DESIGN 10.
YEAR_LIMIT_SECONDS = 10.0
LATEST_LIMIT_RATIO = 1.1

#: A walk of {rows} minutes before {end}. Volumes, trades and shares vary; the price moves every minute.
_INSERT = """
insert into public.candles_1m (
    symbol, open_time, open, high, low, close, volume, quote_asset_volume,
    taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades
)
select
    '{symbol}', to_timestamp({end}) - minute * interval '1 minute', price, price * 1.0002, price * 0.9998,
    price * (0.9999 + 0.0002 * share), volume, volume * price, volume * share, volume * price * share, volume::bigint
from (
    select
        minute, random() as share, 20 * random() as volume,
        60000 * exp(0.001 * sum(random() - 0.5) over (order by minute)) as price
    from generate_series({first}, {last}) as minute
) as walk"""
_LATEST = f"""
select array_agg(array[{", ".join(FEATURES)}] order by open_time)
from public.features_between('{SYMBOL}', to_timestamp(%s), to_timestamp(%s))"""


def features_year(connection: psycopg.Connection, runs: int = 5) -> list[float]:
    """Seconds that the database takes for every column of a year of ``features_1m``, for each run; no transfer."""
    with made_candles(connection):
        insert(connection, 1, YEAR)
        return [seconds_of_year(connection) for _ in range(runs)]


def seconds_of_year(connection: psycopg.Connection) -> float:
    """Every column of ``features_1m`` once, over the candles that stand there."""
    query = f"explain (analyze, timing off, format json) select * from public.features_1m where symbol = '{SYMBOL}'"
    plan = connection.execute(query).fetchone()[0][0]
    return plan["Execution Time"] / 1000


def seconds_of_latest(connection: psycopg.Connection) -> float:
    """The newest 60 rows once, as one row over the wire."""
    start = time.perf_counter()
    bounds = [END - SEQUENCE_LENGTH * 60, END]
    (rows,) = connection.execute(_LATEST, bounds, prepare=True, binary=True).fetchone()
    elapsed = time.perf_counter() - start
    if len(rows) != SEQUENCE_LENGTH:
        raise RuntimeError(f"features_between gave {len(rows)} rows of {SYMBOL}, not {SEQUENCE_LENGTH}")
    return elapsed


def latest_cost(
    connection: psycopg.Connection, runs: int = 400, work: Callable[[psycopg.Connection], float] = seconds_of_latest
) -> tuple[list[float], list[float]]:
    """Seconds of ``work`` with 3 months and with 5 years of candles stored.

    Half of the runs with 3 months come before and half after, so that a machine that slows down meanwhile
    does not show as growth.
    """
    with made_candles(connection):
        insert(connection, 1, QUARTER)
        for _ in range(20):
            work(connection)
        quarter = [work(connection) for _ in range(runs // 2)]
        with connection.transaction(force_rollback=True):
            insert(connection, QUARTER + 1, 5 * YEAR)
            five_years = [work(connection) for _ in range(runs)]
        return quarter + [work(connection) for _ in range(runs - runs // 2)], five_years


@contextmanager
def made_candles(connection: psycopg.Connection) -> Iterator[None]:
    """A transaction that is rolled back, for `insert`."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local plan_cache_mode = force_generic_plan")
        connection.execute("select setseed(0.5)")
        yield


def insert(connection: psycopg.Connection, first: int, last: int) -> None:
    """Candles of the minutes ``first`` to ``last`` before END."""
    connection.execute(_INSERT.format(symbol=SYMBOL, end=END, first=first, last=last))
    connection.execute("analyze public.candles_1m")


def describe(seconds: list[float], unit: str) -> str:
    """Median and the range from the 10th to the 90th percentile, in s or ms."""
    factor = {"s": 1, "ms": 1000}[unit]
    tenths = statistics.quantiles(seconds, n=10, method="inclusive")
    return f"{statistics.median(seconds) * factor:.2f} {unit} ({tenths[0] * factor:.2f} to {tenths[-1] * factor:.2f})"


def main(
    database_url: Annotated[str | None, typer.Option(help="Default: DATABASE_URL, else the one of .env.")] = None,
) -> None:
    """Print each figure as median (10th to 90th percentile) beside its limit."""
    with connect(database_url) as connection:
        year = features_year(connection)
        print(f"features_1m, {YEAR:,} rows: {describe(year, 's')}, at most {YEAR_LIMIT_SECONDS:g} s")
        quarter, five_years = latest_cost(connection)
        ratio = statistics.median(five_years) / statistics.median(quarter)
        print(f"the newest {SEQUENCE_LENGTH} rows at 3 months: {describe(quarter, 'ms')}")
        print(f"the newest {SEQUENCE_LENGTH} rows at 5 years: {describe(five_years, 'ms')}")
        print(f"ratio {ratio:.2f}, at most {LATEST_LIMIT_RATIO:g}")


if __name__ == "__main__":
    typer.run(main)
