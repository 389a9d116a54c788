"""Opens candle files: zip, csv.gz, csv, parquet. Values are not converted.

    table = read_table(Path("BTCUSDT-1m-2026-03.zip"))

Every row keeps its place in the file (the 1-based line including the header; in parquet the row), for error messages.
"""

import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from candlecast.core.errors import FileRefused

#: First bytes -> container. Everything else is read as text.
_MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "gz", b"PAR1": "parquet"}
_SUFFIXES = {".zip": "zip", ".gz": "gz", ".parquet": "parquet"}
#: Limit in bytes of a file, compressed and uncompressed: over ten years of one symbol's candles.
MAX_BYTES = 2**30
#: Limit in characters of the first line.
_MAX_FIRST_LINE_LENGTH = 65_536
_BOM = b"\xef\xbb\xbf"
_DAMAGED = "The file is incomplete or damaged: download or copy it again."


@dataclass(frozen=True)
class Table:
    """One file's rows. Columns of csv files are text; those of parquet files have the file's types."""

    file: str
    names: list[str] | None  #: None where the file has no header
    columns: list[pa.ChunkedArray]
    places: np.ndarray  #: (rows,) int64, 1-based line or row
    unit: str  #: unit of places: 'line' or 'row'

    def place(self, index: int) -> str:
        """The place of this row, for a message: 'line 7'."""
        return f"{self.unit} {self.places[index]}"


def read_table(path: Path) -> Table:
    """Read a whole file. Raises FileRefused if it is missing, damaged, empty, too large or not a table."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = _read(file, stream.read, "the file")
    except FileNotFoundError:
        raise FileRefused(file, "no such file", "Check the path.") from None
    except OSError as error:
        raise FileRefused(file, f"cannot be read: {error.strerror}", "Check the path.") from None
    return parse_table(file, content)


def parse_table(file: str, content: bytes) -> Table:
    """The table in a file's content. Raises FileRefused if it is damaged, empty, too large or not a table."""
    container = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), "csv")
    promised = _SUFFIXES.get(Path(file).suffix.lower())
    if not content:
        raise FileRefused(file, "the file is empty", _DAMAGED)
    if promised and promised != container:
        raise FileRefused(file, f"the content does not match the suffix {Path(file).suffix}", _DAMAGED)
    if container == "parquet":
        return _parquet(file, content)
    if container == "zip":
        content = _unzip(file, content)
    elif container == "gz":
        content = _gunzip(file, content)
    return _csv(file, content)


def _read(file: str, read: Callable[[int], bytes], what: str) -> bytes:
    """Read a whole stream. Raises FileRefused as soon as it exceeds MAX_BYTES."""
    chunks: list[bytes] = []
    size = 0
    while chunk := read(2**20):
        size += len(chunk)
        if size > MAX_BYTES:
            raise FileRefused(
                file,
                f"{what} is larger than {MAX_BYTES / 2**30:g} GiB, more than ten years of candles",
                "Load the exchange's monthly archives, or split it.",
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _unzip(file: str, content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [
                name
                for name in archive.namelist()
                if name.lower().endswith(".csv") and not name.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                raise FileRefused(
                    file,
                    f"the archive contains {len(members)} csv files instead of one",
                    "Unpack it and load each csv file.",
                )
            with archive.open(members[0]) as stream:
                return _read(file, stream.read, "its csv file")
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise FileRefused(file, f"the zip archive is damaged: {error}", _DAMAGED) from None
    except (RuntimeError, NotImplementedError) as error:  # encrypted; unknown compression
        raise FileRefused(
            file, f"the zip archive cannot be unpacked: {error}", "Unpack it and load the csv file."
        ) from None


def _gunzip(file: str, content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            return _read(file, stream.read, "its csv file")
    except (OSError, EOFError, zlib.error) as error:
        raise FileRefused(file, f"the gzip file is damaged: {error}", _DAMAGED) from None


def _parquet(file: str, content: bytes) -> Table:
    try:
        parquet = pyarrow.parquet.ParquetFile(pa.BufferReader(content))
        cells = parquet.metadata.num_rows * parquet.metadata.num_columns
        if 8 * cells > MAX_BYTES:
            raise FileRefused(
                file,
                f"too large: {parquet.metadata.num_rows:,} rows of {parquet.metadata.num_columns:,} columns",
                f"Split it into files of less than {MAX_BYTES / 2**30:g} GiB.",
            )
        table = parquet.read()
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise FileRefused(file, f"the parquet file is damaged: {first_line}", _DAMAGED) from None
    places = np.arange(1, table.num_rows + 1)
    return Table(file, list(table.column_names), list(table.columns), places, "row")


def _csv(file: str, content: bytes) -> Table:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(file, "not UTF-8 text", "Save it as csv in UTF-8.", f"line {line}") from None
    content = content.removeprefix(_BOM)
    body = content.lstrip(b"\r\n")
    leading_lines = len(content[: len(content) - len(body)].splitlines())
    if not body or body.isspace():
        raise FileRefused(file, "the file is empty", _DAMAGED)
    first = _first_line(file, body, f"line {1 + leading_lines}")
    header = [cell.strip() for cell in first] if not _is_number(first[0]) else None
    if header and _is_iso_time(first[0]):
        header = None
    names = [str(index) for index in range(len(first))]
    ragged: list[pyarrow.csv.InvalidRow] = []

    def remember(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    # Quotes are trimmed below and not parsed: an unbalanced quote would merge lines and shift all line numbers
    # after it. Row numbers are exact only with one thread and one block.
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(body),
            pyarrow.csv.ReadOptions(
                use_threads=False,
                column_names=names,
                skip_rows=1 if header else 0,
                block_size=len(body) + 1,
            ),
            pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=False, invalid_row_handler=remember),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        raise FileRefused(file, f"cannot be read as csv: {error}", _DAMAGED) from None
    if ragged:
        row = ragged[0]
        raise FileRefused(
            file,
            f"{row.actual_columns} columns instead of {row.expected_columns}",
            _DAMAGED,
            f"line {row.number + leading_lines}",
        )
    columns = [pc.utf8_trim(column, characters=' \t\r"') for column in table.columns]
    places = np.arange(table.num_rows) + 1 + leading_lines + (1 if header else 0)
    written = np.zeros(table.num_rows, dtype=bool)
    for column in columns:
        written |= pc.not_equal(column, "").to_numpy()
    if not written.all():  # skip blank lines
        columns = [column.filter(pa.array(written)) for column in columns]
        places = places[written]
    return Table(file, header, columns, places, "line")


def _first_line(file: str, body: bytes, place: str) -> list[str]:
    end = body.find(b"\n")
    length = end if end >= 0 else len(body)
    if length > _MAX_FIRST_LINE_LENGTH:
        raise FileRefused(
            file, f"not a candle file: the first line has {length:,} characters", "Check how it was created.", place
        )
    try:
        return next(csv.reader([body[:length].decode().rstrip("\r")]))
    except csv.Error as error:
        raise FileRefused(
            file, f"cannot be read as csv: {error}", "Save it as csv with one candle per line.", place
        ) from None


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip())
    except ValueError:
        return False
    return True


def _is_iso_time(cell: str) -> bool:
    return cell.strip()[:4].isdigit() and cell.strip()[4:5] == "-"
