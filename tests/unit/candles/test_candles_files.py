"""Reading valid candle files of every format."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlecast.candles.file_columns import ARCHIVE_COLUMNS
from candlecast.candles.file_formats import read_table
from candlecast.candles.files import read_candle_file
from candlecast.core.candle_columns import NUMBERS
from tests.support.archive_files import HEADER, NAME, START, THREE, line, text, with_column, write, zipped


def assert_is_three(path: Path, symbol: str = "BTCUSDT") -> None:
    candles = read_candle_file(path)
    assert candles.symbol == symbol
    assert candles.open_time.tolist() == [(START + 60 * minute) * 10**6 for minute in range(3)]
    assert candles.columns["close"].tolist() == [101.0, 101.01, 101.02]
    assert candles.columns["taker_buy_quote_asset_volume"].tolist() == [125.0625] * 3
    assert candles.columns["number_of_trades"].tolist() == [42, 43, 44]
    assert np.isnan(candles.columns["spread_bps"]).all()
    assert (candles.unclosed, candles.duplicates) == (0, 0)


def iso(minute: int, zone: str) -> str:
    return (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minute)).strftime("%Y-%m-%d %H:%M:%S") + zone


@pytest.mark.parametrize(
    ("what", "name", "content"),
    [
        ("csv with header", NAME, THREE),
        ("csv without header", NAME, text(*map(line, range(3)), header=None)),
        ("eleven columns, as in old archives", NAME, "\n".join(line(m).rpartition(",")[0] for m in range(3))),
        ("csv.gz", NAME + ".gz", gzip.compress(THREE.encode())),
        ("zip", "BTCUSDT-1m-2026-03.zip", zipped(THREE)),
        ("a zip named csv", NAME, zipped(THREE)),
        ("seconds", NAME, text(*(line(m, 1, close_time=START + 60 * m + 59) for m in range(3)))),
        ("microseconds", NAME, text(*(line(m, 10**6) for m in range(3)))),
        ("nanoseconds", NAME, text(*(line(m, 10**9) for m in range(3)))),
        ("times as floats", NAME, text(*(line(m, open_time=f"{(START + 60 * m) * 1000}.0") for m in range(3)))),
        (
            "ISO, naive is UTC",
            NAME,
            text(*(line(m, open_time=iso(m, ""), close_time=iso(m + 1, "")) for m in range(3))),
        ),
        ("ISO, Z", NAME, text(*(line(m, open_time=iso(m, "Z"), close_time=iso(m + 1, "Z")) for m in range(3)))),
        (
            "ISO in Kolkata",
            NAME,
            text(*(line(m, open_time=iso(m + 330, "+05:30"), close_time=iso(m + 1, "Z")) for m in range(3))),
        ),
        ("header in another case", NAME, THREE.replace(HEADER, HEADER.upper())),
        ("header with spaces", NAME, THREE.replace(HEADER, HEADER.replace("_", " ").title())),
        (
            "the futures archives' names",
            NAME,
            THREE.replace("quote_asset_volume,number_of_trades", "quote_volume,count", 1)
            .replace("taker_buy_base_asset_volume", "taker_buy_volume")
            .replace("taker_buy_quote_asset_volume", "taker_buy_quote_volume"),
        ),
        (
            "the names of 2025-08",
            NAME,
            THREE.replace("quote_asset_volume,number_of_trades", "quote_volume,trade_count", 1)
            .replace("taker_buy_base_asset_volume", "taker_buy_base")
            .replace("taker_buy_quote_asset_volume", "taker_buy_quote"),
        ),
        ("timestamp for open_time", NAME, THREE.replace("open_time", "timestamp")),
        ("Windows line ends and a byte order mark", NAME, "\ufeff" + THREE.replace("\n", "\r\n")),
        ("quotes around everything", NAME, "\n".join('"' + row.replace(",", '","') + '"' for row in THREE.split())),
        ("no line end at the end", NAME, THREE.rstrip("\n")),
        ("blank lines", NAME, "\n\n" + THREE.replace("\n", "\n\n")),
        ("any order of rows", NAME, text(line(2), line(0), line(1))),
        ("an index column", NAME, "\n".join(f"{i or ''},{row}" for i, row in enumerate(THREE.split()))),
    ],
)
def test_reads(tmp_path: Path, what: str, name: str, content: str | bytes) -> None:
    assert_is_three(write(tmp_path, content, name))


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("resolution", ["ms", "ns"])
def test_reads_parquet(tmp_path: Path, resolution: str, zone: str | None) -> None:
    raw = read_table(write(tmp_path, THREE))
    columns = dict(zip(ARCHIVE_COLUMNS, raw.columns, strict=True))
    times = (
        columns.pop("open_time").cast(pa.int64()).cast(pa.timestamp("ms", zone)).cast(pa.timestamp(resolution, zone))
    )
    table = {name: column.cast(pa.float64()) for name, column in columns.items()} | {"open_time": times}
    path = tmp_path / "production_BTCUSDT_1m_20260301_000300.parquet"
    pyarrow.parquet.write_table(pa.table(table), path)
    assert_is_three(path)


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("BTCUSDT-1m-2026-03.csv", None, "BTCUSDT"),
        ("production_ETHUSDT_1m_20250628_105126.csv", None, "ETHUSDT"),
        ("1000PEPEUSDT-1m.csv", None, "1000PEPEUSDT"),
        ("BTCUSDT-1m-2026-03.csv", "TEST", "TEST"),
        ("candles.csv", "TEST", "TEST"),
    ],
)
def test_symbol(tmp_path: Path, name: str, argument: str | None, expected: str) -> None:
    assert read_candle_file(write(tmp_path, THREE, name), argument).symbol == expected


def test_the_symbol_column_is_used_without_a_symbol_in_the_name(tmp_path: Path) -> None:
    assert_is_three(write(tmp_path, with_column("symbol", *["ETHUSDT"] * 3), "candles.csv"), "ETHUSDT")


def test_spread_is_read_and_may_be_missing(tmp_path: Path) -> None:
    spread = read_candle_file(write(tmp_path, with_column("spread_bps", "0.5", "", "1.5"))).columns["spread_bps"]
    assert spread[[0, 2]].tolist() == [0.5, 1.5]
    assert np.isnan(spread[1])


def test_identical_rows_are_merged_and_counted(tmp_path: Path) -> None:
    candles = read_candle_file(write(tmp_path, text(line(1), line(0), line(1), line(1))))
    assert len(candles) == 2
    assert candles.duplicates == 2
    assert candles.places.tolist() == [3, 2]


@pytest.mark.parametrize(("seconds", "closed"), [(179, 2), (180, 3), (59, 0), (60, 1)])
def test_candles_that_end_after_now_are_skipped(tmp_path: Path, seconds: int, closed: int) -> None:
    candles = read_candle_file(write(tmp_path, THREE), now=START + seconds)
    assert (len(candles), candles.unclosed) == (closed, 3 - closed)


def test_repetitions_of_an_open_candle_may_differ(tmp_path: Path) -> None:
    path = write(tmp_path, text(line(0), line(1), line(1, close=99.9)))
    assert len(read_candle_file(path, now=START + 61)) == 1


@given(
    values=st.lists(st.floats(1e-300, 1e300), min_size=len(NUMBERS), max_size=len(NUMBERS)),
    trades=st.integers(0, 2**62),
    minute=st.integers(-10_000_000, 0),
)
def test_floats_are_read_exactly(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], trades: int, minute: int
) -> None:
    given_values = dict(zip(NUMBERS, values, strict=True))
    path = write(tmp_path_factory.mktemp("f"), text(line(minute, number_of_trades=trades, **given_values)))
    candles = read_candle_file(path)
    assert {name: candles.columns[name][0] for name in NUMBERS} == given_values
    assert candles.columns["number_of_trades"][0] == trades
    assert candles.open_time[0] == (START + 60 * minute) * 10**6


@pytest.mark.parametrize(
    ("file", "symbol", "rows", "first"),
    [
        ("spot/BTCUSDT-1m-2026-03.zip", "BTCUSDT", 44_640, "2026-03-01 00:00"),
        ("spot/BTCUSDT-1m-2026-04.zip", "BTCUSDT", 43_200, "2026-04-01 00:00"),
        ("spot/BTCUSDT-1m-2025-08-01_10.csv.gz", "BTCUSDT", 14_401, "2025-08-01 00:00"),
        ("futures-um/AVAXUSDT-1m-2026-04.csv.gz", "AVAXUSDT", 43_200, "2026-04-01 00:00"),
        ("warts/ETHUSDT-1m-2025-09_11-gap.csv.gz", "ETHUSDT", 8_678, "2025-09-22 01:15"),
        ("warts/production_BTCUSDT_1m_20250628_105126.parquet", "BTCUSDT", 100, "2025-06-28 01:12"),
    ],
)
def test_real_files(shared_data: Path, file: str, symbol: str, rows: int, first: str) -> None:
    candles = read_candle_file(shared_data / file)
    opened = datetime.fromtimestamp(candles.open_time[0] / 1e6, UTC)
    assert (candles.symbol, len(candles), f"{opened:%Y-%m-%d %H:%M}") == (symbol, rows, first)
    assert (candles.unclosed, candles.duplicates) == (0, 0)
