"""`candlecast backfill` from the stand-in exchange: complete after every failure, and nothing is downloaded twice."""

import asyncio
import os
import re
import signal
import subprocess
import time

import psycopg
import pytest
from psycopg import conninfo
from typer.testing import CliRunner

import candlecast.client.progress
import candlecast.exchanges
from bench.processes import CANDLECAST
from candlecast.candles.history.backfill import backfill
from candlecast.cli.app import app
from candlecast.core.errors import Unreachable
from candlecast.exchanges.clock import Clock
from tests.exchange import Faults, Market, StandIn
from tests.exchange.frames import kline_row
from tests.support.backfilling import (
    DAY,
    END,
    NOW,
    TODAY,
    Altered,
    as_feeder,
    binance,
    fill,
    loaded,
    market_of,
    running_exchange,
    standing,
)
from tests.support.feeding import difference
from tests.support.paths import ROOT

#: Pauses the transaction of archive number ``after`` + 1: its candles are copied, its row is not written.
_PAUSES = """
create table pause (after int);
insert into pause values (0);
grant select on pause to public;
create function pause() returns trigger language plpgsql as $$
begin
    if (select count(*) from loaded_archives) = (select after from pause) then
        perform pg_sleep(60);
    end if;
    return new;
end $$;
create trigger pause before insert on loaded_archives for each row execute function pause()
"""


def fingerprint(db: psycopg.Connection) -> list[tuple[int, int]]:
    """For both tables, the number of rows and a hash of their values and transaction ids."""
    rows = "select count(*), bit_xor(hashtextextended(xmin::text || t::text, 0)) from {} as t"
    return [db.execute(rows.format(table)).fetchone() for table in ("candles_1m", "loaded_archives")]


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def test_a_backfill_interrupted_three_times_ends_complete(db, database_url, capsys, tmp_path) -> None:
    def rows() -> tuple[int, int]:
        return db.execute(
            "select (select count(*) from candles_1m), (select coalesce(sum(candles), 0) from loaded_archives)"
        ).fetchone()

    def sessions() -> list[int]:
        found = (
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'candlecast'"
        )
        return [pid for (pid,) in db.execute(found)]

    def is_paused() -> bool:
        found = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        return db.execute(found).fetchone() == (1,)

    def disconnect(_process: subprocess.Popen) -> None:
        assert [db.execute("select pg_terminate_backend(%s)", [pid]).fetchone() for pid in sessions()] == [(True,)]

    interruptions = (
        (subprocess.Popen.kill, -signal.SIGKILL, ""),
        (subprocess.Popen.terminate, 128 + signal.SIGTERM, "stopped by SIGTERM\nhint: Run the command again to"),
        (disconnect, 1, "hint: Check the database server, then run the command again."),
    )
    with market_of(90) as exchange:
        db.execute(_PAUSES)
        command = [*CANDLECAST, "backfill", "--symbol", "BTCUSDT"]
        # The server must notice a dead client while it sleeps.
        url = conninfo.make_conninfo(
            database_url, options="-c role=candlecast_feeder -c client_connection_check_interval=100"
        )
        env = os.environ | exchange.environment() | {"DATABASE_URL": url, "TMPDIR": str(tmp_path)}
        # During a day of February; during March with its 44,640 candles; during the first day of May.
        for after, (interrupt, status, message) in zip((3, 27, 29), interruptions, strict=True):
            db.execute("update pause set after = %s", [after])
            process = subprocess.Popen(
                [*command, "--days", "90"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            wait_until(is_paused, "the backfill does not get that far")
            interrupt(process)
            _, err = process.communicate(timeout=60)
            assert process.returncode == status, err
            assert message in err
            wait_until(lambda: not sessions(), "the interrupted session remains")
            found, recorded = rows()
            assert found == recorded, "an archive was written in part"
            assert len(loaded(db)) == after

        assert list(tmp_path.iterdir()) == [], "an interrupted run leaves files"
        db.execute("drop trigger pause on loaded_archives")
        requests = exchange.counters.requests["archive"]
        assert fill(exchange, database_url, 90) == 0
        # From 2 February on: its days, two months, the days of May.
        assert len(loaded(db)) == 31
        assert exchange.counters.requests["archive"] - requests == 2 * 2, "an archive was downloaded twice"
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 90 * DAY, END) == ""

        before, requests = fingerprint(db), exchange.counters.requests.copy()
        capsys.readouterr()
        assert fill(exchange, database_url, 90) == 0
        assert fingerprint(db) == before
        assert exchange.counters.requests - requests == {"time": 1}
        assert "BTCUSDT │ 0        │ 0        │ 0       │ 0         │ 0       │ 0" in capsys.readouterr().out
        assert not exchange.counters.violations()


def test_later_runs_download_only_new_and_lost_candles(db, database_url) -> None:
    with market_of(6) as exchange:
        assert fill(exchange, database_url, 3) == 0
        assert loaded(db) == ["2026-04-30", "2026-05-01", "2026-05-02"]
        db.execute(
            "delete from candles_1m where open_time = '2026-05-01 12:00+00' or open_time > '2026-05-03 06:10+00'"
        )
        requests = exchange.counters.requests.copy()
        assert fill(exchange, database_url, 5) == 0
        assert loaded(db) == ["2026-04-28", "2026-04-29", "2026-04-30", "2026-05-01", "2026-05-02"]
        # Two new days and the day with a gap; REST for today, and for the first candle of the exchange.
        assert exchange.counters.requests - requests == {"time": 1, "archive": 6, "klines": 2}
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 5 * DAY, END) == ""

        db.execute("delete from loaded_archives")  # the days are still complete
        requests = exchange.counters.requests.copy()
        assert fill(exchange, database_url, 5) == 0
        assert exchange.counters.requests - requests == {"time": 1}


def test_days_replace_a_month_that_is_not_published_yet(db, database_url) -> None:
    now = TODAY - 2 * DAY + 3600 + 10  # 1 May, 01:00: neither April nor its last day is published
    with market_of(30, now=now) as exchange:
        assert fill(exchange, database_url, 30) == 0
        assert loaded(db) == [f"2026-04-{day:02}" for day in range(1, 30)]
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 32 * DAY, now // 60 * 60) == ""


def test_a_halt_is_reported_and_requested_once_per_run(db, database_url, capsys) -> None:
    halts = ((TODAY - 2 * DAY + 3600, TODAY - 2 * DAY + 7200), (TODAY + 600, TODAY + 1200))
    with market_of(2, halts=halts) as exchange:
        assert fill(exchange, database_url, 2) == 0
        out = capsys.readouterr().out
        assert "the exchange has no candles for 2026-05-01 01:00 to 2026-05-01 01:59 (60 min)" in out
        assert "the exchange has no candles for 2026-05-03 00:10 to 2026-05-03 00:19 (10 min)" in out
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 2 * DAY, END) == ""
        requests = exchange.counters.requests.copy()
        assert fill(exchange, database_url, 2) == 0
        assert exchange.counters.requests - requests == {"time": 1, "klines": 2}


def test_a_backfill_is_complete_despite_every_fault(db, database_url) -> None:
    requests = {"429": 0.1, "418": 0.05, "5xx": 0.15, "malformed body": 0.1, "body cut off": 0.1}
    downloads = {"truncated zip": 0.2, "wrong checksum": 0.1, "archive 5xx": 0.1}
    clock, met = Clock(1200, NOW), set()
    for seed, symbol in enumerate(("AVAXUSDT", "FILUSDT", "NEARUSDT", "ETHUSDT")):
        market = Market([symbol], TODAY - 12 * DAY, NOW + 5 * DAY, Faults(seed, requests | downloads))
        with running_exchange(StandIn(market, clock)) as exchange:
            assert backfill([symbol], 12, binance(exchange, clock), database_url) == 0
            newest = "select extract(epoch from max(open_time))::int8 from candles_1m where symbol = %s"
            (newest,) = db.execute(newest, [symbol]).fetchone()
            assert newest >= END - 60
            assert difference(db, market, symbol, TODAY - 12 * DAY, newest + 60) == ""
            assert not exchange.counters.violations()
            met |= set(exchange.counters.faults)
    assert met == {*requests, *downloads}


def test_rate_limits_are_obeyed_without_archives(db, database_url) -> None:
    clock = Clock(1200, NOW)
    market = Market(["BTCUSDT"], TODAY - 40 * DAY, NOW + 5 * DAY)
    with running_exchange(StandIn(market, clock, weight_limit=60)) as exchange:
        nowhere = binance(exchange, clock, archive_url=f"{exchange.rest_url}/nowhere")
        assert backfill(["BTCUSDT"], 40, nowhere, database_url) == 0
        assert db.execute("select count(*) from candles_1m").fetchone()[0] > 40 * 1440
        assert exchange.counters.requests["klines"] > 50
        assert not exchange.counters.violations()
        assert exchange.counters.answers[429] == 0
        assert exchange.counters.highest_weight <= 60


def test_a_backfill_starts_with_the_first_candle_of_the_symbol(db, database_url, capsys) -> None:
    with market_of(2) as exchange:
        assert fill(exchange, database_url, 30) == 0
        assert "the exchange's first candle is 2026-05-01 00:00 UTC" in capsys.readouterr().err
        assert exchange.counters.requests["archive"] == 4
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 2 * DAY, END) == ""


def test_an_unknown_symbol_does_not_stop_the_others(db, database_url, capsys) -> None:
    with market_of(1, symbols=("BTCUSDT", "ETHUSDT")) as exchange:
        assert fill(exchange, database_url, 1, "NOPEUSDT", "../../x", "ETHUSDT", "BTCUSDT") == 1
        out, err = capsys.readouterr()
        assert "Binance has no symbol 'NOPEUSDT'" in err
        assert "'../../x' is not a symbol of an exchange" in err
        assert "NOPEUSDT │ 0        │ 0        │ 0       │ 0         │ 0       │ unknown" in out
        for symbol in ("BTCUSDT", "ETHUSDT"):
            assert difference(db, exchange.market, symbol, TODAY - DAY, END) == ""


def test_an_unreachable_exchange_ends_with_status_69(db, database_url, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = StandIn(Market(["BTCUSDT"], TODAY - DAY, NOW), standing())  # never started: no server on port 0
    monkeypatch.setattr(candlecast.exchanges, "exchange_named", lambda _name: binance(exchange, Clock(10_000)))
    done = CliRunner().invoke(app, ["backfill", "--symbol", "btcusdt", "--database-url", as_feeder(database_url)])
    assert done.exit_code == 69
    assert "http://127.0.0.1:0 cannot be reached" in done.stderr
    assert fingerprint(db) == [(0, None)] * 2


def test_a_failed_request_is_logged_before_the_retries(database_url) -> None:
    command = [*CANDLECAST, "backfill", "--symbol", "BTCUSDT"]
    env = os.environ | {"CANDLECAST_BINANCE_REST_URL": "http://127.0.0.1:1", "DATABASE_URL": as_feeder(database_url)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        message = process.stderr.readline()
        assert process.poll() is None, "it retries for half a minute"
        process.terminate()
        process.communicate(timeout=60)
    assert message == "http://127.0.0.1:1: All connection attempts failed; retrying up to 5 times\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_rest_is_used_when_the_archive_cannot_be_reached(db, database_url, capsys) -> None:
    with market_of(3) as exchange:
        lost = binance(exchange, Clock(10_000), archive_url="http://127.0.0.1:1")
        assert backfill(["BTCUSDT"], 3, lost, database_url) == 0
        assert "http://127.0.0.1:1 cannot be reached" in capsys.readouterr().err
        assert difference(db, exchange.market, "BTCUSDT", TODAY - 3 * DAY, END) == ""


def test_an_outage_during_a_backfill_leaves_complete_archives(db, database_url, capsys) -> None:
    class Leaving(Altered):
        def find(self, path: str, now: float) -> tuple[str, bytes] | None:
            if "05-02" in path:
                leaving.append(asyncio.ensure_future(exchange.begin_outage(resetting=True)))
            return super().find(path, now)

    leaving: list[asyncio.Future] = []
    with market_of(8) as exchange:
        exchange.archives = Leaving(exchange, {})
        with pytest.raises(Unreachable):
            backfill(["BTCUSDT"], 8, binance(exchange, Clock(10_000)), database_url)
        done = len(loaded(db))
        assert 4 <= done < 8
        assert f"BTCUSDT │ {done} " in capsys.readouterr().out
        assert db.execute("select count(*) from candles_1m").fetchone() == (1440 * done,)


def test_a_rejected_candle_is_reported_and_stops_no_other(db, database_url, capsys) -> None:
    with market_of(0) as exchange:
        db.execute("alter table candles_1m add check (open_time <> '2026-05-03 02:03+00')")
        assert fill(exchange, database_url, 1) == 1
        assert "the candle of 2026-05-03 02:03 UTC violates candles_1m_open_time_check" in capsys.readouterr().err
        assert db.execute("select count(*) from candles_1m").fetchone() == (389,)


@pytest.mark.parametrize("trades", [2**70, -(2**70), 10**13])
def test_too_many_trades_are_reported_with_symbol_and_minute(
    db, database_url, capsys, monkeypatch: pytest.MonkeyPatch, trades: int
) -> None:
    def row(one):
        return kline_row(one._replace(number_of_trades=trades) if one.open_time == TODAY + 600 else one)

    monkeypatch.setattr("tests.exchange.server.kline_row", row)
    with market_of(0) as exchange:
        assert fill(exchange, database_url, 1) == 1
    err = capsys.readouterr().err
    message = "candlecast: binance klines of BTCUSDT: row 11: the candle of 2026-05-03 00:10 UTC violates candles_1m_"
    assert message in err
    assert db.execute("select count(*) from candles_1m").fetchone() == (389,)


def test_stored_values_are_overwritten_except_the_spread(db, database_url) -> None:
    with market_of(1) as exchange:
        assert fill(exchange, database_url, 1) == 0
        db.execute("delete from candles_1m where open_time = '2026-05-02 10:00+00'")
        db.execute("update candles_1m set close = low, spread_bps = 1.5 where open_time = '2026-05-02 10:01+00'")
        assert fill(exchange, database_url, 1) == 0
        assert difference(db, exchange.market, "BTCUSDT", TODAY - DAY, END) == ""
        assert db.execute("select count(*) from candles_1m where spread_bps = 1.5").fetchone() == (1,)


def test_progress_is_printed_in_lines_without_a_terminal(database_url, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candlecast.client.progress, "LINE_INTERVAL_SECONDS", 0.0)
    with market_of(2) as exchange:
        assert fill(exchange, database_url, 2) == 0
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"BTCUSDT: 1,440 of 3,270, [\d,]+ rows/s, [\d:]+ left", lines[0]), lines[0]
    assert re.fullmatch(r"BTCUSDT: 3,270 of 3,270, [\d,]+ rows/s, 00:00 left", lines[-2]), lines[-2]
    assert lines[-1].startswith("BTCUSDT: done in ")


@pytest.mark.parametrize("command", ["backfill", "repair"])
def test_the_help_has_examples(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    assert shown.exit_code == 0
    assert f"candlecast {command} --symbol BTCUSDT" in shown.stdout
