"""The columns of a candle, as ``candles_1m``, files, exchanges and features name them."""

#: Of double precision, in every candle.
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
#: What the features are made of. spread_bps is null where the source has no quotes.
RAW_COLUMNS = (*NUMBERS, "number_of_trades", "spread_bps")
