"""Writes small CSV files for `candlecast load`, one valid candle per line, and reads the stored candles."""

from pathlib import Path

import psycopg

from candlecast.candles.load import LoadReport

START = 1_772_323_200  # 2026-03-01 00:00 UTC
HEADER = (
    "open_time,open,high,low,close,volume,quote_asset_volume,number_of_trades,"
    "taker_buy_base_asset_volume,taker_buy_quote_asset_volume"
)
GOOD = {
    "open": 100.5,
    "high": 102.25,
    "low": 99.75,
    "close": 101.0,
    "volume": 3.5,
    "quote_asset_volume": 350.125,
    "number_of_trades": 42,
    "taker_buy_base_asset_volume": 1.25,
    "taker_buy_quote_asset_volume": 125.0625,
}


def line(minute: float, **changed: object) -> str:
    return ",".join(str(value) for value in (int((START + 60 * minute) * 1000), *(GOOD | changed).values()))


def write(folder: Path, *lines: str, name: str = "BTCUSDT-1m-2026-03.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def counts(report: LoadReport) -> tuple[int, int, int]:
    return report.inserted, report.changed, report.unchanged


def stored(db: psycopg.Connection) -> list[tuple]:
    return db.execute("select * from candles_1m order by symbol, open_time").fetchall()
