"""The one statement that writes candles into ``candles_1m``, whoever brings them: files, archives, REST, the stream.

    inserted, changed = connection.execute(upsert_from("staged_candles")).fetchone()

Nothing here needs numpy or pyarrow: the feed runs for weeks without them.
"""

from candlecast.core.candle_columns import RAW_COLUMNS

#: What a source gives and the table takes; taker_buy_ratio is generated. spread_bps is null where there are no quotes.
COLUMNS = ("symbol", "open_time", *RAW_COLUMNS)
_VALUES = COLUMNS[2:]
#: A known spread stays where the new candle has none.
_NEW = {name: f"excluded.{name}" for name in _VALUES} | {"spread_bps": "coalesce(excluded.spread_bps, kept.spread_bps)"}


def upsert_from(source: str) -> str:
    """The statement that moves the rows of a relation with ``COLUMNS`` into candles_1m.

    ``source`` is what may stand behind FROM: a table, ``unnest(...) as fresh (...)``; each minute at most once in it.
    Where a row is there already it is changed if a value differs. One row comes back: how many rows were inserted and
    how many changed; the rest were there as they are.
    """
    return f"""
        with upserted as (
            insert into candles_1m as kept ({", ".join(COLUMNS)})
            select {", ".join(COLUMNS)} from {source} order by symbol, open_time
            on conflict (symbol, open_time) do update set {", ".join(f"{name} = {new}" for name, new in _NEW.items())}
            where ({", ".join(f"kept.{name}" for name in _VALUES)}) is distinct from ({", ".join(_NEW.values())})
            returning kept.xmax = 0 as is_inserted  -- xmax is set where the row was there before
        )

        select
            count(*) filter (where is_inserted),
            count(*) filter (where not is_inserted)
        from upserted
    """
