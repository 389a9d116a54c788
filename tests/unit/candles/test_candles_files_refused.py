"""Every reason to refuse a candle file, and that its line is named."""

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
    ("a page that is called zip", "BTCUSDT-1m.zip", "<html>404</html>", "its name ends in .zip but its content"),
    ("a zip without a csv", "BTCUSDT-1m.zip", zipped(THREE, "readme.txt"), "holds 0 csv files"),
    ("a gzip cut short", NAME + ".gz", gzip.compress(os.urandom(999))[:-20], "the gzip file is damaged"),
    ("a gzip with garbage behind", NAME + ".gz", gzip.compress(THREE.encode()) + b"garbage", "gzip file is damaged"),
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
        "it holds quotes (bid and ask): there is no open, high, low or close",
    ),
    ("something else", NAME, text("1,2", header="name,age"), "not a candle file"),
    ("no header, nine columns", NAME, "1772323200000,1,1,1,1,1,1,1,1\n", "no header and 9 columns"),
    ("two closes", NAME, THREE.replace("ignore", "Close"), "line 1: two columns are called close"),
    ("a short line", NAME, text(line(0), line(1)[:60], line(2)), "line 3: it has "),
    ("a long line", NAME, text(line(0), line(1), line(2) + ",1"), "line 4: it has 13 columns instead of 12"),
    ("a short line behind blank ones", NAME, "\n" + text(line(0), "", "1,2"), "line 5: it has 2 columns"),
    ("a word for a number", NAME, text(line(0), line(1, high="high")), "line 3: high 'high' is not a number"),
    ("a decimal comma, quoted", NAME, text(line(0, high='"102,25"')), "line 2: it has 13 columns"),
    ("a stray quote", NAME, text(line(0), line(1, high='1"2'), line(2)), "line 3: high '1\"2' is not a number"),
    ("an empty value", NAME, text(line(0), line(1, volume="")), "line 3: volume is empty"),
    ("an empty value behind a blank line", NAME, text(line(0), "", line(1, volume="")), "line 4: volume is empty"),
    ("an empty value behind leading blank lines", NAME, "\n\n" + text(line(0, volume="")), "line 4: volume is empty"),
    ("half a trade", NAME, text(line(0, number_of_trades=1.5)), "line 2: number_of_trades '1.5' is not a whole"),
    ("no number of trades", NAME, text(line(0, number_of_trades="NaN")), "line 2: number_of_trades 'NaN'"),
    ("not a time", NAME, text(line(0), line(1, open_time="noon")), "line 3: open_time 'noon' is not a time"),
    (
        "no such day",
        NAME,
        text(line(0, open_time="2026-02-30 00:00")),
        "line 2: open_time '2026-02-30 00:00' is no date",
    ),
    (
        "no such day behind numbers",
        NAME,
        text(line(0), line(1, open_time="2026-02-31 00:00:00")),
        "line 3: open_time '2026-02-31 00:00:00' is no date and time: day is out of range for month",
    ),
    (
        "a date behind numbers",
        NAME,
        text(line(0), line(1, open_time="2026-03-01 00:01:00")),
        "line 3: open_time '2026-03-01 00:01:00' is a date, the lines before it have numbers: mixed units",
    ),
    ("a time of 25 digits", NAME, text(line(0, open_time="9" * 25)), f"line 2: open_time '{'9' * 25}' is out of range"),
    ("endless trades", NAME, text(line(0, number_of_trades="inf")), "number_of_trades 'inf' is not a whole number"),
    ("a number of a kilobyte", NAME, text(line(0, high="x" * 1000)), f"high '{'x' * 59}... (1,002 characters) is not"),
    ("line ends of the old Mac", NAME, THREE.replace("\n", "\r"), "line 1: it cannot be read as csv"),
    ("a name that is markup", "candles.csv", with_column("symbol", *["[/x]"] * 3), "'[/x]' is no symbol"),
    ("a name with an escape", "candles.csv", with_column("symbol", *["A\x1b[31m"] * 3), r"'A\x1b[31m' is no symbol"),
    ("a name of 41 letters", "candles.csv", with_column("symbol", *["A" * 41] * 3), "is no symbol"),
    ("a time out of range", NAME, text(line(0, open_time=12)), "line 2: open_time 12 is not a time between"),
    (
        "mixed units",
        NAME,
        text(line(0), line(1), line(2, 10**6)),
        "line 4: open_time 1772323320000000 is in microseconds, the lines before it are in milliseconds: mixed units",
    ),
    (
        "five-minute candles",
        NAME,
        text(line(0, close_time=(START + 300) * 1000 - 1)),
        "line 2: the candle lasts 300 s",
    ),
    ("one bad close_time", NAME, text(line(0), line(1, close_time=START * 1000)), "line 3: the candle lasts -60 s"),
    ("an interval column", NAME, with_column("interval", "1m", "1m", "5m"), "line 4: its interval is 5m, not 1m"),
    ("a month is no minute", NAME, with_column("interval", "1m", "1M", "1m"), "line 3: its interval is 1M"),
    (
        "five minutes by name alone",
        "BTCUSDT-5m-2026-03.csv",
        THREE.replace("close_time", "x"),
        "its name says 5m candles",
    ),
    ("several symbols", NAME, with_column("symbol", "A", "B", "A"), "it holds several symbols: A, B"),
    ("two names", NAME, with_column("symbol", *["ETHUSDT"] * 3), "name says BTCUSDT, its symbol column ETHUSDT"),
    ("no symbol", "candles.csv", THREE, "neither its name nor a column says which symbol"),
    (
        "two values for a minute",
        NAME,
        text(line(0), line(1), line(2), line(1, close=99.9)),
        "line 5: line 3 and this one are both 2026-03-01 00:01 UTC but differ: close 101.01 and 99.9",
    ),
]


@pytest.mark.parametrize(("what", "name", "content", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refuses(tmp_path: Path, what: str, name: str, content: str | bytes, message: str) -> None:
    path = write(tmp_path, content, name)
    with pytest.raises(FileRefused) as refusal:
        read_candle_file(path)
    assert refusal.value.message.startswith(f"{path}: ")
    assert message in refusal.value.message


@pytest.mark.parametrize("symbol", ["[/x]", "", " ", "-A", "A\n", "A B", "Ä", "A" * 41])
def test_refuses_a_symbol_that_the_database_would_not_take(tmp_path: Path, symbol: str) -> None:
    path = write(tmp_path, THREE)
    if symbol == "A\n":
        assert read_candle_file(path, symbol).symbol == "A"
    else:
        with pytest.raises(FileRefused, match="symbol"):
            read_candle_file(path, symbol)


def endless_line(mebibytes: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(NAME, "w") as member:
        for _ in range(mebibytes):
            member.write(b"0" * 2**20)
    return buffer.getvalue()


def test_refuses_a_first_line_without_end(tmp_path: Path) -> None:
    path = write(tmp_path, endless_line(8), "BTCUSDT-1m-2026-03.zip")
    with pytest.raises(FileRefused, match="line 1: its first line has 8,388,608 characters: not a candle file"):
        read_candle_file(path)


@pytest.mark.parametrize("kind", ["zip", "gz", "csv", "parquet"])
def test_refuses_what_is_too_large_before_it_is_all_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    names = {"zip": "BTCUSDT-1m.zip", "gz": NAME + ".gz", "csv": NAME, "parquet": "BTCUSDT_1m.parquet"}
    path = tmp_path / names[kind]
    if kind == "parquet":
        pyarrow.parquet.write_table(pa.table({"open_time": pa.array(np.zeros(2**20, np.int64))}), path)
    else:
        plain = (b"0" * 100 + b"\n") * 160_000
        path.write_bytes({"zip": endless_line(16), "gz": gzip.compress(plain), "csv": plain}[kind])
    monkeypatch.setattr(archives, "MAX_BYTES", 4 * 2**20)
    tracemalloc.start()
    with pytest.raises(FileRefused, match=r"0\.00390625 GiB|it has 1,048,576 rows"):
        read_candle_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20  # 16 unpacked


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="there is no such file"):
        read_candle_file(tmp_path / NAME)


def test_rows_of_parquet_are_called_rows(tmp_path: Path) -> None:
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
        ("quotes/quotes_1m_lean.csv.gz", "it holds quotes"),
    ],
)
def test_real_files_that_are_refused(shared_data: Path, file: str, message: str) -> None:
    with pytest.raises(FileRefused, match=message):
        read_candle_file(shared_data / file)
