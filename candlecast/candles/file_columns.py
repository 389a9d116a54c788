"""Maps the columns of a candle file, by its header or by the order of the exchange's archives."""

import re

import pyarrow as pa

from candlecast.candles.file_formats import Table
from candlecast.core.candle_columns import NUMBERS
from candlecast.core.errors import FileRefused

_REQUIRED = ("open_time", *NUMBERS, "number_of_trades")
#: The columns of an archive without a header, in order. Older archives lack the last one.
ARCHIVE_COLUMNS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_asset_volume",
    "number_of_trades",
    "taker_buy_base_asset_volume",
    "taker_buy_quote_asset_volume",
    "ignore",
)
#: Header names of each column, reduced to lower-case letters and digits; the first one present is used.
ALIASES = {
    "open_time": ("opentime", "timestamp", "datetime", "time", "date"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "baseassetvolume", "basevolume"),
    "close_time": ("closetime",),
    "quote_asset_volume": ("quoteassetvolume", "quotevolume"),
    "number_of_trades": ("numberoftrades", "tradecount", "count", "trades"),
    "taker_buy_base_asset_volume": (
        "takerbuybaseassetvolume",
        "takerbuybasevolume",
        "takerbuybase",
        "takerbuyvolume",
    ),
    "taker_buy_quote_asset_volume": (
        "takerbuyquoteassetvolume",
        "takerbuyquotevolume",
        "takerbuyquote",
    ),
    "spread_bps": ("spreadbps",),
    "symbol": ("symbol",),
    "interval": ("interval",),
}
_FULL_ARCHIVE = "Load the exchange's full kline archive: it has " + ", ".join(ARCHIVE_COLUMNS[:-1]) + "."


def name_columns(table: Table) -> dict[str, pa.ChunkedArray]:
    """The known columns by name; others are ignored. Raises FileRefused if a column is missing or ambiguous."""
    if table.names is None:
        if len(table.columns) not in (len(ARCHIVE_COLUMNS) - 1, len(ARCHIVE_COLUMNS)):
            raise FileRefused(
                table.file,
                f"not a candle file: no header and {len(table.columns)} columns, where an archive has "
                f"{len(ARCHIVE_COLUMNS)}",
                _FULL_ARCHIVE,
                table.place(0),
            )
        return dict(zip(ARCHIVE_COLUMNS, table.columns, strict=False))
    squashed = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in table.names]
    place = "line 1" if table.unit == "line" else None
    columns = {}
    for column, aliases in ALIASES.items():
        alias = next((alias for alias in aliases if alias in squashed), None)
        if alias is None:
            continue
        if squashed.count(alias) > 1:
            raise FileRefused(
                table.file,
                f"two columns are named {table.names[squashed.index(alias)]}",
                "Keep the one with the candle's value.",
                place,
            )
        columns[column] = table.columns[squashed.index(alias)]
    missing = [name for name in _REQUIRED if name not in columns]
    if not missing:
        return columns
    if {"open", "high", "low", "close"} <= set(missing):
        what = "the file contains quotes (bid and ask)" if any("bid" in s for s in squashed) else "not a candle file"
        some = ", ".join(name[:40] for name in table.names[:8]) + (", ..." if len(table.names) > 8 else "")
        reason = f"{what}: no column open, high, low or close (its columns: {some})"
    else:
        reason = f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    raise FileRefused(table.file, reason, _FULL_ARCHIVE, place)
