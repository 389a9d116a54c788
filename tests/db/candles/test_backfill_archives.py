"""`candlecast backfill` with bad archives: they are rejected by name, and their days come from another source."""

import io
import zipfile

import pytest

from tests.exchange import StandIn
from tests.support.backfilling import DAY, END, NOW, TODAY, Altered, fill, loaded, market_of
from tests.support.feeding import difference


def test_corrupt_archives_are_logged_and_downloaded_again(db, database_url, caplog) -> None:
    with market_of(3) as exchange:
        exchange.corrupt("BTCUSDT-1m-2026-04-30.zip", "truncated zip")
        exchange.corrupt("BTCUSDT-1m-2026-05-01.zip", "wrong checksum", "archive 5xx")
        assert fill(exchange, database_url, 3) == 0
        rejected = [record.getMessage() for record in caplog.records if " rejected, attempt " in record.getMessage()]
        assert sorted(text.split(" rejected")[0] for text in rejected) == [
            "BTCUSDT-1m-2026-04-30.zip",
            "BTCUSDT-1m-2026-05-01.zip",
        ]
        assert loaded(db) == ["2026-04-30", "2026-05-01", "2026-05-02"]
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 3 * DAY, END) == ""


def test_a_permanently_corrupt_archive_is_replaced_by_rest(db, database_url, capsys) -> None:
    with market_of(35) as exchange:
        for name in ("BTCUSDT-1m-2026-04.zip", "BTCUSDT-1m-2026-04-07.zip"):
            exchange.corrupt(name, *["wrong checksum"] * 3)
        assert fill(exchange, database_url, 35) == 0
        out, err = capsys.readouterr()
        assert "candlecast: BTCUSDT-1m-2026-04.zip: its SHA-256 begins with" in err
        assert "candlecast: BTCUSDT-1m-2026-04-07.zip: its SHA-256 begins with" in err
        assert "BTCUSDT: minutes without a valid archive were requested over REST" in out
        assert len(loaded(db)) == 34
        assert "2026-04-07" not in loaded(db)
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 35 * DAY, END) == ""


def zipped(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text)
    return packed.getvalue()


def lines(day: int, *, price: str = "1.0", minutes: int = 1440, trades: int = 0) -> str:
    """A day's archive in the exchange's format: microseconds, twelve columns, no header."""
    prices = f"{price},{price},{price},{price}"
    return "".join(
        f"{(day + 60 * n) * 10**6},{prices},0,{(day + 60 * n + 60) * 10**6 - 1},0,{trades},0,0,0\n"
        for n in range(minutes)
    )


WRONG = {
    "another archive's file": (zipped("ETHUSDT-1m-2026-05-02.csv", lines(TODAY - DAY)), "belongs to another archive"),
    "another day": (
        zipped("BTCUSDT-1m-2026-05-02.csv", lines(TODAY - 2 * DAY)),
        "2026-05-01 00:00 UTC, which is outside of its days",
    ),
    "a minute too many": (
        zipped("BTCUSDT-1m-2026-05-02.csv", lines(TODAY - DAY, minutes=1441)),
        "2026-05-03 00:00 UTC, which is outside of its days (2026-05-02)",
    ),
    "no price": (
        zipped("BTCUSDT-1m-2026-05-02.csv", lines(TODAY - DAY, price="0")),
        "line 1: the candle of 2026-05-02",
    ),
    "a number of trades above 64 bits": (
        zipped("BTCUSDT-1m-2026-05-02.csv", lines(TODAY - DAY, trades=2**70)),
        "line 1: number_of_trades '1180591620717411303424' is out of range",
    ),
    "no zip": (b"<html>maintenance</html>", "the content does not match the suffix .zip"),
    "no candle": (zipped("BTCUSDT-1m-2026-05-02.csv", ""), "the file is empty"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_archive_with_wrong_content_is_rejected_completely(db, database_url, capsys, what: str) -> None:
    content, reason = WRONG[what]
    with market_of(1) as exchange:
        exchange.archives = Altered(exchange, {"BTCUSDT-1m-2026-05-02.zip": content})
        assert fill(exchange, database_url, 1) == 0
        err = capsys.readouterr().err
        assert "candlecast: BTCUSDT-1m-2026-05-02.zip: " in err
        assert reason in err
        assert loaded(db) == []
        assert difference(db, exchange.market, "BTCUSDT", TODAY - DAY, END) == ""


def test_minutes_missing_in_an_archive_come_over_rest(db, database_url) -> None:
    with market_of(1) as exchange:
        short = zipped("BTCUSDT-1m-2026-05-02.csv", archive_text(exchange, minutes=1200))
        exchange.archives = Altered(exchange, {"BTCUSDT-1m-2026-05-02.zip": short})
        assert fill(exchange, database_url, 1) == 0
        assert difference(db, exchange.market, "BTCUSDT", TODAY - DAY, END) == ""
        assert db.execute("select candles from loaded_archives").fetchone() == (1200,)


def archive_text(exchange: StandIn, minutes: int) -> str:
    path = "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2026-05-02.zip"
    _, content = exchange.archives.find(path, NOW)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = archive.read("BTCUSDT-1m-2026-05-02.csv").decode().splitlines(keepends=True)
    return "".join(rows[:minutes])
