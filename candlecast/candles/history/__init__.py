"""Past candles: ``backfill`` downloads months of them, ``repair`` downloads missing or differing ones.

``coverage`` finds what the table has, ``archives`` and ``klines`` download candles from the exchange, ``importer``
writes and counts them in an ``Outcome``, ``runner`` loops over the symbols, ``report`` prints the result.
"""
