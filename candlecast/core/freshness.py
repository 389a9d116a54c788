"""How old is late, how old is missing: of a candle, a run and a prediction.

Seconds since the end of its minute, or since a run began. The page goes by these. SQL has them in freshness_limits,
deploy/prometheus in two recorded metrics, deploy/grafana in its thresholds; tests hold them to what stands here.
"""

#: The candle of a minute comes within seconds, so the next one is 15 seconds overdue.
LATE_SECONDS = 75
#: Two minutes brought nothing: down, and an alert that wakes somebody.
MISSING_SECONDS = 180
