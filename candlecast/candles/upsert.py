"""The only statement that writes candles into ``candles_1m``, from files, archives, REST and the stream.

    inserted, changed = connection.execute(upsert_from("staged_candles")).fetchone()

This module must not import numpy or pyarrow: the feed runs without them.
"""

from candlecast.core.candle_columns import RAW_COLUMNS

#: Columns that a source must have. taker_buy_ratio is generated; spread_bps is null where there are no quotes.
COLUMNS = ("symbol", "open_time", *RAW_COLUMNS)
_VALUES = COLUMNS[2:]
#: A stored spread is kept where the new candle has none.
_NEW = {name: f"excluded.{name}" for name in _VALUES} | {"spread_bps": "coalesce(excluded.spread_bps, kept.spread_bps)"}


def upsert_from(source: str) -> str:
    """The statement that moves the rows of a relation with ``COLUMNS`` into candles_1m.

    ``source`` is a FROM item, such as a table or ``unnest(...) as fresh (...)``, with each minute at most once.
    A stored row changes if a value differs. The statement returns one row: (inserted, changed).
    """
    return f"""
        with upserted as (
            insert into candles_1m as kept ({", ".join(COLUMNS)})
            select {", ".join(COLUMNS)} from {source} order by symbol, open_time
            on conflict (symbol, open_time) do update set {", ".join(f"{name} = {new}" for name, new in _NEW.items())}
            where ({", ".join(f"kept.{name}" for name in _VALUES)}) is distinct from ({", ".join(_NEW.values())})
            returning kept.xmax = 0 as is_inserted  -- xmax is set on an updated row
        )

        select
            count(*) filter (where is_inserted),
            count(*) filter (where not is_inserted)
        from upserted
    """
