"""The public archive: zip files of whole days and months, and their CHECKSUM files."""

import hashlib
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from .candles import Market
from .frames import csv_row

PATH = re.compile(
    r"/data/spot/(?P<period>monthly|daily)/klines/(?P<folder>[A-Z0-9]{1,20})/1m/"
    r"(?P<name>(?P<symbol>[A-Z0-9]{1,20})-1m-(?P<year>\d{4})-(?P<month>\d\d)(?:-(?P<day>\d\d))?\.zip)"
    r"(?P<checksum>\.CHECKSUM)?"
)


class Archives:
    """The published files of a market, created on request."""

    def __init__(self, market: Market, daily_delay: float = 7200.0, monthly_delay: float = 86_400.0) -> None:
        """Delays in seconds from the end of the day or month to the publication."""
        self._market = market
        self._delays = {"daily": daily_delay, "monthly": monthly_delay}
        self._content = lru_cache(64)(self._make)

    def find(self, path: str, now: float) -> tuple[str, bytes] | None:
        """The file's name and content; None if it is not published."""
        found = PATH.fullmatch(path)
        if not found or found["folder"] != found["symbol"] or found["symbol"] not in self._market.symbols:
            return None
        if (found["period"] == "daily") != (found["day"] is not None):
            return None
        try:
            first = datetime(int(found["year"]), int(found["month"]), int(found["day"] or 1), tzinfo=UTC)
        except ValueError:
            return None
        last = first + timedelta(days=1) if found["day"] else (first + timedelta(days=32)).replace(day=1)
        if now < last.timestamp() + self._delays[found["period"]]:
            return None
        content = self._content(found["symbol"], found["name"], first.timestamp(), last.timestamp())
        if content is None:
            return None
        if found["checksum"]:
            return found["name"] + ".CHECKSUM", checksum(found["name"], content)
        return found["name"], content

    def _make(self, symbol: str, name: str, first: float, last: float) -> bytes | None:
        # Files are published hours later, when all revisions are done.
        lines = "".join(map(csv_row, self._market.truth(symbol, first, last)))
        if not lines:
            return None
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(name.replace(".zip", ".csv"), lines)
        return packed.getvalue()


def checksum(name: str, content: bytes) -> bytes:
    """The CHECKSUM file of a file, in the format of sha256sum."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()
