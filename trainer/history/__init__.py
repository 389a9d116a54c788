"""`candlecast backfill` and `candlecast repair`: an exchange's archives and REST klines into candles_1m."""
