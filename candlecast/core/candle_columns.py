"""The columns of a candle, as named in ``candles_1m``, candle files, exchange code and features."""

#: Double precision, never null.
NUMBERS = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_asset_volume",
    "taker_buy_base_asset_volume",
    "taker_buy_quote_asset_volume",
)
#: The inputs of the features. spread_bps is null where the source has no quotes.
RAW_COLUMNS = (*NUMBERS, "number_of_trades", "spread_bps")
