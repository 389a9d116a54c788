"""How old is late, how old is missing: of a candle, a run and a prediction.

Seconds since the end of its minute, or since a run began. symbol_health and health() judge by these, the page shows by
them, and the alert rules of deploy/prometheus fire by them; tests hold all three to what stands here.
"""

#: The candle of a minute comes within seconds, so the next one is 15 seconds overdue.
LATE_SECONDS = 75
#: Two minutes brought nothing: down, and an alert that wakes somebody.
MISSING_SECONDS = 180
