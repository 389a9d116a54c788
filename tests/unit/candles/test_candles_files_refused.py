"""Each reason to reject a candle file; the message names the line."""

import gzip
import io
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from candlecast.candles import file_formats as archives
from candlecast.candles.file_columns import ARCHIVE_COLUMNS
from candlecast.candles.file_formats import read_table
from candlecast.candles.files import read_candle_file
from candlecast.core.errors import FileRefused
from tests.support.archive_files import NAME, START, THREE, line, text, with_column, write, zipped

REFUSED = [
    # what, file name, content, what the message says
    ("empty", NAME, "", "the file is empty"),
    ("only line ends", NAME, "\n\n", "the file is empty"),
    ("only a header", NAME, text(), "header but no rows"),
    ("not text", NAME, b"\x00\xff\xfe" * 9, "not UTF-8"),
    ("a zip cut short", "BTCUSDT-1m.zip", zipped(THREE * 50)[:-40], "the zip archive is damaged"),
    ("a zip with a flipped byte", "BTCUSDT-1m.zip", zipped(THREE).replace(b"BTC", b"BTD", 1), "the zip archive"),
    ("a page named zip", "BTCUSDT-1m.zip", "<html>404</html>", "the content does not match the suffix .zip"),
    ("a zip without a csv", "BTCUSDT-1m.zip", zipped(THREE, "readme.txt"), "contains 0 csv files"),
    ("a gzip cut short", NAME + ".gz", gzip.compress(os.urandom(999))[:-20], "the gzip file is damaged"),
    ("a gzip with trailing garbage", NAME + ".gz", gzip.compress(THREE.encode()) + b"garbage", "gzip file is damaged"),
    ("a parquet cut short", "BTCUSDT_1m.parquet", b"PAR1" + b"x" * 99, "the parquet file is damaged"),
    (
        "no taker volumes",
        NAME,
        text("1772323200000,1,1,1,1,1,1,1", header="open_time,open,high,low,close,volume,quote_volume,count"),
        "line 1: missing columns taker_buy_base_asset_volume, taker_buy_quote_asset_volume",
    ),
    ("no close", NAME, THREE.replace(",close,", ",last,"), "line 1: missing column close"),
    (
        "quotes",
        NAME,
        text("1772323200000,1,2", header="open_time,bid_open,ask_open"),
        "the file contains quotes (bid and ask): no column open, high, low or close",
    ),
    ("something else", NAME, text("1,2", header="name,age"), "not a candle file"),
    ("no header, nine columns", NAME, "1772323200000,1,1,1,1,1,1,1,1\n", "no header and 9 columns"),
    ("two closes", NAME, THREE.replace("ignore", "Close"), "line 1: two columns are named close"),
    ("a short line", NAME, text(line(0), "1,2,3", line(2)), "line 3: 3 columns instead of 12"),
    ("a long line", NAME, text(line(0), line(1), line(2) + ",1"), "line 4: 13 columns instead of 12"),
    ("a short line after blank ones", NAME, "\n" + text(line(0), "", "1,2"), "line 5: 2 columns instead of 12"),
    ("a word for a number", NAME, text(line(0), line(1, high="high")), "line 3: high 'high' is not a number"),
    ("a decimal comma, quoted", NAME, text(line(0, high='"102,25"')), "line 2: 13 columns instead of 12"),
    ("an unbalanced quote", NAME, text(line(0), line(1, high='1"2'), line(2)), "line 3: high '1\"2' is not a number"),
    ("an empty value", NAME, text(line(0), line(1, volume="")), "line 3: volume is empty"),
    ("an empty value after a blank line", NAME, text(line(0), "", line(1, volume="")), "line 4: volume is empty"),
    ("an empty value after leading blank lines", NAME, "\n\n" + text(line(0, volume="")), "line 4: volume is empty"),
    ("half a trade", NAME, text(line(0, number_of_trades=1.5)), "line 2: number_of_trades '1.5' is not a whole"),
    ("NaN trades", NAME, text(line(0, number_of_trades="NaN")), "line 2: number_of_trades 'NaN'"),
    ("not a time", NAME, text(line(0), line(1, open_time="noon")), "line 3: open_time 'noon' is not a time"),
    (
        "an invalid date",
        NAME,
        text(line(0, open_time="2026-02-30 00:00")),
        "line 2: open_time '2026-02-30 00:00' is not a valid date",
    ),
    (
        "an invalid date after numbers",
        NAME,
        text(line(0), line(1, open_time="2026-02-31 00:00:00")),
        "line 3: open_time '2026-02-31 00:00:00' is not a valid date and time: day is out of range for month",
    ),
    (
        "a date after numbers",
        NAME,
        text(line(0), line(1, open_time="2026-03-01 00:01:00")),
        "line 3: open_time '2026-03-01 00:01:00' is a date, earlier lines have numbers: mixed units",
    ),
    (
        "a number after dates",
        NAME,
        text(line(0, open_time="2026-03-01 00:00:00"), line(1, open_time="1")),
        "line 3: open_time '1' is a number, earlier lines have dates: mixed units",
    ),
    ("a time of 25 digits", NAME, text(line(0, open_time="9" * 25)), f"line 2: open_time '{'9' * 25}' is out of range"),
    ("infinite trades", NAME, text(line(0, number_of_trades="inf")), "number_of_trades 'inf' is not a whole number"),
    ("a number of a kilobyte", NAME, text(line(0, high="x" * 1000)), f"high '{'x' * 59}... (1,002 characters) is not"),
    ("line ends of the old Mac", NAME, THREE.replace("\n", "\r"), "line 1: cannot be read as csv"),
    ("a name with markup", "candles.csv", with_column("symbol", *["[/x]"] * 3), "'[/x]' is not a symbol"),
    ("a name with an escape", "candles.csv", with_column("symbol", *["A\x1b[31m"] * 3), r"'A\x1b[31m' is not a symbol"),
    ("a name of 41 letters", "candles.csv", with_column("symbol", *["A" * 41] * 3), "is not a symbol"),
    ("a time out of range", NAME, text(line(0, open_time=12)), "line 2: open_time 12 is not a time between"),
    (
        "mixed units",
        NAME,
        text(line(0), line(1), line(2, 10**6)),
        "line 4: mixed units: open_time 1772323320000000 is in microseconds, earlier lines are in milliseconds",
    ),
    (
        "five-minute candles",
        NAME,
        text(line(0, close_time=(START + 300) * 1000 - 1)),
        "line 2: the candle lasts 300 s",
    ),
    ("one bad close_time", NAME, text(line(0), line(1, close_time=START * 1000)), "line 3: the candle lasts -60 s"),
    ("an interval column", NAME, with_column("interval", "1m", "1m", "5m"), "line 4: the interval is 5m, not 1m"),
    ("months are not minutes", NAME, with_column("interval", "1m", "1M", "1m"), "line 3: the interval is 1M"),
    (
        "five minutes in the name only",
        "BTCUSDT-5m-2026-03.csv",
        THREE.replace("close_time", "x"),
        "the file name says 5m candles",
    ),
    ("several symbols", NAME, with_column("symbol", "A", "B", "A"), "contains several symbols: A, B"),
    ("two names", NAME, with_column("symbol", *["ETHUSDT"] * 3), "name says BTCUSDT, the symbol column ETHUSDT"),
    ("no symbol", "candles.csv", THREE, "no symbol in the file name or in a column"),
    (
        "two values for a minute",
        NAME,
        text(line(0), line(1), line(2), line(1, close=99.9)),
        "line 5: differs from line 3 of the same minute 2026-03-01 00:01 UTC: close 99.9 instead of 101.01",
    ),
]


@pytest.mark.parametrize(("what", "name", "content", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_file_is_rejected(tmp_path: Path, what: str, name: str, content: str | bytes, message: str) -> None:
    path = write(tmp_path, content, name)
    with pytest.raises(FileRefused) as refusal:
        read_candle_file(path)
    assert refusal.value.message.startswith(f"{path}: ")
    assert message in refusal.value.message


@pytest.mark.parametrize("symbol", ["[/x]", "", " ", "-A", "A\n", "A B", "Ä", "A" * 41])
def test_an_invalid_symbol_is_rejected(tmp_path: Path, symbol: str) -> None:
    path = write(tmp_path, THREE)
    if symbol == "A\n":
        assert read_candle_file(path, symbol).symbol == "A"
    else:
        with pytest.raises(FileRefused, match="symbol"):
            read_candle_file(path, symbol)


def long_line(mebibytes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(NAME, "w") as member:
        for _ in range(mebibytes):
            member.write(b"0" * 2**20)
    return buffer.getvalue()


def test_an_oversized_first_line_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, long_line(8), "BTCUSDT-1m-2026-03.zip")
    with pytest.raises(FileRefused, match="line 1: not a candle file: the first line has 8,388,608 characters"):
        read_candle_file(path)


@pytest.mark.parametrize("kind", ["zip", "gz", "csv", "parquet"])
def test_an_oversized_file_is_rejected_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    names = {"zip": "BTCUSDT-1m.zip", "gz": NAME + ".gz", "csv": NAME, "parquet": "BTCUSDT_1m.parquet"}
    path = tmp_path / names[kind]
    if kind == "parquet":
        pyarrow.parquet.write_table(pa.table({"open_time": pa.array(np.zeros(2**20, np.int64))}), path)
    else:
        plain = (b"0" * 100 + b"\n") * 160_000
        path.write_bytes({"zip": long_line(16), "gz": gzip.compress(plain), "csv": plain}[kind])
    monkeypatch.setattr(archives, "MAX_BYTES", 4 * 2**20)
    tracemalloc.start()
    with pytest.raises(FileRefused, match=r"0\.00390625 GiB|too large: 1,048,576 rows"):
        read_candle_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20  # 16 unpacked


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="no such file"):
        read_candle_file(tmp_path / NAME)


def test_errors_in_parquet_files_name_the_row(tmp_path: Path) -> None:
    raw = read_table(write(tmp_path, THREE))
    table = pa.table(dict(zip(ARCHIVE_COLUMNS, raw.columns, strict=True)))
    closes = pa.array([1.0, None, 1.0])
    path = tmp_path / "BTCUSDT_1m.parquet"
    pyarrow.parquet.write_table(table.set_column(4, "close", closes), path)
    with pytest.raises(FileRefused, match="row 2: close is empty"):
        read_candle_file(path)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("spot/BTCUSDT-1m-2024-12-no-taker.csv.gz", "missing columns taker_buy_base_asset_volume, taker_buy_quote"),
        ("quotes/quotes_1m_lean.csv.gz", "the file contains quotes"),
    ],
)
def test_real_files_are_rejected(shared_data: Path, file: str, message: str) -> None:
    with pytest.raises(FileRefused, match=message):
        read_candle_file(shared_data / file)
