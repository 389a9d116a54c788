"""Age limits of a candle, a run and a prediction: when it is late, and when it is missing.

Seconds since the end of its minute, or since the start of a run. The dashboard uses these values. Copies are in
freshness_limits (SQL), in two recorded metrics of deploy/prometheus and in the thresholds of deploy/grafana; tests
compare them with this file.
"""

#: A candle arrives within seconds of the end of its minute, so at this age the next one is 15 seconds late.
LATE_SECONDS = 75
#: No candle for two minutes: an outage, which raises a critical alert.
MISSING_SECONDS = 180
