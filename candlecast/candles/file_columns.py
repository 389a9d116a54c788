"""Which column of a candle file is which: by its header, else by the order of the exchange's archives."""

import re

import pyarrow as pa

from candlecast.candles.file_formats import Table
from candlecast.core.candle_columns import NUMBERS
from candlecast.core.errors import FileRefused

_REQUIRED = ("open_time", *NUMBERS, "number_of_trades")
#: The columns of an archive without a header, in its order. Older ones lack the last.
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
#: Header names of each column, lower-case letters and digits only; the first one present counts.
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
    """The table's columns by our names; others are left out. Raises FileRefused where one is missing or doubled."""
    if table.names is None:
        if len(table.columns) not in (len(ARCHIVE_COLUMNS) - 1, len(ARCHIVE_COLUMNS)):
            raise FileRefused(
                table.file,
                f"it has no header and {len(table.columns)} columns, where an archive has "
                f"{len(ARCHIVE_COLUMNS)}: not a candle file",
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
                f"two columns are called {table.names[squashed.index(alias)]}",
                "Keep the one that holds the candle's value.",
                place,
            )
        columns[column] = table.columns[squashed.index(alias)]
    missing = [name for name in _REQUIRED if name not in columns]
    if not missing:
        return columns
    if {"open", "high", "low", "close"} <= set(missing):
        what = "it holds quotes (bid and ask)" if any("bid" in s for s in squashed) else "not a candle file"
        some = ", ".join(name[:40] for name in table.names[:8]) + (", ..." if len(table.names) > 8 else "")
        reason = f"{what}: there is no open, high, low or close among its columns ({some})"
    else:
        reason = f"missing column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    raise FileRefused(table.file, reason, _FULL_ARCHIVE, place)
