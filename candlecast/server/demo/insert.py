"""generate_demo_candles(): inserts synthetic candles of the symbol DEMO.

select generate_demo_candles();  -- up to the last closed minute
"""

from typing import Any

from candlecast.core.candle_columns import NUMBERS
from candlecast.server.demo.candles import generate
from candlecast.server.stored_candles import newest_candle

SYMBOL = "DEMO"
#: Minutes per insert. It limits memory, and the query can be canceled between inserts.
_CHUNK = 43_200
_COLUMNS = (*NUMBERS, "number_of_trades")


def generate_demo_candles(plpy: Any, until: str, days: int) -> int:
    """Continue DEMO from its newest candle to ``until``; without candles, start ``days`` before ``until``.

    ``until`` is a timestamptz as text. Open minutes are never generated. Returns the number of inserted candles.
    Concurrent calls generate the same candles; each is stored once.
    """
    if days < 1:
        plpy.error("days must be at least 1", hint="60 days are enough to train the first models.")
    insert = plpy.prepare(_insert_statement(), ["bigint[]", *["double precision[]"] * 8, "bigint[]"])
    minute, end, close = _where_to_continue(plpy, until, days)
    inserted = 0
    for start in range(minute, end, _CHUNK):
        candles = generate(start, min(start + _CHUNK, end), close)
        close = float(candles["close"][-1])
        arrays = [candles[name].tolist() for name in ("minute", *_COLUMNS)]
        inserted += plpy.execute(insert, arrays).nrows()
    return inserted


def _where_to_continue(plpy: Any, until: str, days: int) -> tuple[int, int, float | None]:
    """The first minute, the end minute (exclusive), and the previous close."""
    plan = plpy.prepare(
        f"""
        select
            floor(extract(epoch from least(greatest($1, timestamptz '2000-01-01 00:00+00'), now())) / 60)::bigint
                as until_minute,
            floor(extract(epoch from newest.open_time) / 60)::bigint as newest_minute,
            newest.close
        from (values (1)) as always (row)
        left join lateral {newest_candle("$2", "least($1, now())")} as newest on true
        """,
        ["timestamptz", "text"],
    )
    row = plpy.execute(plan, [until, SYMBOL])[0]
    end = int(row["until_minute"])
    if row["newest_minute"] is None:
        return end - days * 1440, end, None
    return int(row["newest_minute"]) + 1, end, float(row["close"])


def _insert_statement() -> str:
    numbers = ", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 2))
    names = ", ".join(_COLUMNS)
    values = ", ".join(f"made.{name}" for name in _COLUMNS)
    return f"""
        insert into public.candles_1m (symbol, open_time, {names})
        select '{SYMBOL}', to_timestamp(made.minute * 60), {values}
        from unnest({numbers}) as made (minute, {names})
        on conflict (symbol, open_time) do nothing
    """
