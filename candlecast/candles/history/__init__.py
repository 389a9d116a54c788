"""Candles of the past: ``backfill`` fetches months of them, ``repair`` mends what is missing or differs.

``stored`` asks the table what it has, ``fetch`` brings the exchange's archives, ``fill`` writes what comes from
there and from REST, ``session`` runs it, ``report`` prints it.
"""
