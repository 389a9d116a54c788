"""Writes candle files in the exchange's format, one candle per line."""

import io
import zipfile
from pathlib import Path

from candlecast.candles.file_columns import ARCHIVE_COLUMNS

START = 1_772_323_200  # 2026-03-01 00:00 UTC
HEADER = ",".join(ARCHIVE_COLUMNS)
NAME = "BTCUSDT-1m-2026-03.csv"


def line(minute: int, per_second: int = 1000, **changed: object) -> str:
    opened = (START + 60 * minute) * per_second
    values: dict[str, object] = {
        "open_time": opened,
        "open": 100.5,
        "high": 102.25,
        "low": 99.75,
        "close": 101 + minute / 100,
        "volume": 3.5,
        "close_time": opened + 60 * per_second - 1,
        "quote_asset_volume": 350.125,
        "number_of_trades": 42 + minute,
        "taker_buy_base_asset_volume": 1.25,
        "taker_buy_quote_asset_volume": 125.0625,
        "ignore": 0,
    }
    return ",".join(str(value) for value in (values | changed).values())


def text(*lines: str, header: str | None = HEADER) -> str:
    return "\n".join([*([header] if header else []), *lines]) + "\n"


THREE = text(*(line(minute) for minute in range(3)))


def write(folder: Path, content: str | bytes, name: str = NAME) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(content: str, member: str = NAME) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
    return buffer.getvalue()


def with_column(name: str, *values: str) -> str:
    rows = THREE.splitlines()
    return "\n".join(f"{row},{value}" for row, value in zip(rows, (name, *values), strict=True)) + "\n"
