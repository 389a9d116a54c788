"""`candlecast feed`: keeps candles_1m complete, minute by minute."""
