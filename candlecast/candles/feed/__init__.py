"""`candlecast feed`: writes each candle as it closes, and fills gaps."""
