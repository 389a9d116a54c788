"""Candles of the past: ``backfill`` fetches months of them, ``repair`` mends what is missing or differs.

``coverage`` asks the table what it has, ``archives`` and ``klines`` bring candles from the exchange, ``importer``
writes them and counts them in an ``Outcome``, ``runner`` runs it for each symbol, ``report`` prints it.
"""
