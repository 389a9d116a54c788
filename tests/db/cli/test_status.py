"""`candlecast status`: its tables, on databases with and without content."""

import itertools
import re

import pytest
from psycopg import conninfo

from tests.support.deployment import MINUTE, NEWEST, create


def test_an_empty_database_prints_none(database_url, run_cli):
    done = run_cli(database_url, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Candles: none",
        "Ensembles: none",
        "A/B tests: none",
        "Inference runs of the last hour: none",
        "Newest training run of each symbol: none",
    ]


def test_candles_ensembles_and_runs_are_shown(live, live_url, run_cli):
    live.execute("call run_inference(%s)", (NEWEST - MINUTE,))
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 9 * MINUTE,))
    live.execute("call run_inference(%s)", (NEWEST,))
    done = run_cli(live_url, "status")
    assert done.returncode == 0, done.stderr
    for text in ("DEMO", "2026-05-02 11:59", "active", "predicted", "failed", "2026-05-02 11:50:00+00"):
        assert text in done.stdout


def test_the_newest_training_run_and_its_reason_are_shown(db, database_url, run_cli):
    for reason in ("the older one", "connection lost"):
        db.execute(
            "insert into training_runs (symbol, status, finished_at, host, pid, reason)"
            " values ('DEMO', 'failed', now(), 'here', 1, %s)",
            (reason,),
        )
    done = run_cli(database_url, "status")
    assert "connection lost" in done.stdout
    assert "the older one" not in done.stdout


@pytest.mark.parametrize("text", ["[/x] [red]gone", "a:heart:b", "\x1b[2Jgone"])
def test_an_error_is_shown_verbatim(db, database_url, run_cli, text):
    db.execute(
        "insert into inference_runs (symbol, candle_time, status, error) values (%s, %s, 'failed', %s)",
        ("X:heart:Y", NEWEST, text),
    )
    done = run_cli(database_url, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert text.replace("\x1b", "\\x1b") in done.stdout
    assert "X:heart:Y" in done.stdout
    assert "\x1b" not in done.stdout


def test_80_columns_do_not_split_versions_or_times(live, live_url, artifacts, run_cli):
    create(live, artifacts, 0.25, is_test=True)
    live.execute("call run_inference(%s)", (NEWEST,))
    done = run_cli(live_url, "status", env={"COLUMNS": "80"})
    assert max(map(len, done.stdout.splitlines())) <= 80
    for mamba, lgbm in [tuple(folder.name for folder in artifacts)] * 2:
        assert done.stdout.count(f"Mamba {mamba} ") == 2
        assert done.stdout.count(f"LightGBM {lgbm} ") == 2
    assert "0.7500" in done.stdout
    assert "2026-05-02 11:59" in done.stdout


def test_ab_tests_are_shown_with_figures_and_next_decision(live, live_url, artifacts, run_cli):
    old = create(live, artifacts, 0.0, is_test=True)
    live.execute("update active_ensembles set changed_at = %s", (NEWEST - 60 * MINUTE,))
    for minutes in range(20, -1, -1):
        live.execute("call run_inference(%s)", (NEWEST - minutes * MINUTE,))
    new = create(live, artifacts, 0.9, is_test=True)
    wide, narrow = shown_tests(run_cli, live_url, "400"), shown_tests(run_cli, live_url, "80")
    begun, fresh = live.execute("select * from ab_status order by challenger_id").fetchall()
    assert (begun.challenger_id, begun.minutes, begun.outlook) == (old, 20, "retire"), "after more than 30 days"
    assert (fresh.challenger_id, fresh.minutes, fresh.outlook) == (new, 0, "keep")
    for words in (
        f"{old} test ",
        f"{new} test ",
        " against 1 ",
        f"{begun.since:%Y-%m-%d %H:%M}",
        f"{100 * begun.difference:+.2f}",
        f"[{100 * begun.low:+.2f}, {100 * begun.high:+.2f}]",
        f"{begun.next_evaluation:%Y-%m-%d} 00:10: retirement",
        f"{begun.next_evaluation:%Y-%m-%d} 00:10: continues",
        begun.why,
        fresh.why,
    ):
        assert words in wide, words
        assert words in narrow or len(words) > 20, words
    live.execute("update active_ensembles set is_test = false, is_shadow = true where id = %s", (old,))
    live.execute("update ml_settings set value = '999' where name = 'ab_max_days'")
    live.execute("update active_ensembles set changed_at = %s where id = %s", (NEWEST - 60 * MINUTE, new))
    live.execute("call run_inference(%s)", (NEWEST - 5 * MINUTE,))
    one_each = shown_tests(run_cli, live_url, "120")
    assert f"{old} shadow" in one_each
    assert one_each.count("if undecided") == 1, "a shadow is evaluated once"


def shown_tests(run_cli, url: str, columns: str) -> str:
    """The table of A/B tests; asserts that the output fits the columns."""
    done = run_cli(url, "status", env={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    assert done.stdout.count("DEMO") >= 4, "candles, ensembles, tests, runs"
    return done.stdout.split("A/B tests ")[1].split("Inference runs")[0]


def minutes_of(db, symbol: str, count: int) -> None:
    """Insert candles of the last `count` closed minutes."""
    db.execute(
        "insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,"
        " taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)"
        " select %s, date_trunc('minute', now()) - n * interval '1 minute', 1, 1, 1, 1, 1, 1, 1, 1, 1"
        " from generate_series(1, %s) as n",
        (symbol, count),
    )


def feed_of(db, symbol: str, state: str, silent: str = "0 s", error: str | None = None, since: str = "0 s") -> None:
    db.execute(
        "insert into feed_status (symbol, exchange, state, heartbeat_at, last_error, last_error_at, host, pid)"
        " values (%(symbol)s, 'binance', %(state)s, now() - %(silent)s::interval, %(error)s,"
        " case when %(error)s::text is not null then now() - %(since)s::interval end, 'here', 1)",
        {"symbol": symbol, "state": state, "silent": silent, "error": error, "since": since},
    )


def shown_symbols(run_cli, url: str, columns: str = "200") -> tuple[dict[str, list[str]], list[str]]:
    """The table of candles (cells by symbol), and the lines between it and the ensembles."""
    done = run_cli(url, "status", env={"COLUMNS": columns})
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    lines = done.stdout.split("Ensembles")[0].splitlines()[3:]
    rows = [re.split(r" {2,}", line.rstrip()) for line in lines]
    table = list(itertools.takewhile(lambda row: len(row) == 7, rows))
    return {symbol: cells for symbol, *cells in table}, [line.rstrip() for line in lines[len(table) :]]


def test_each_symbol_has_its_candles_gaps_and_feed(db, database_url, run_cli):
    for symbol in ("NOFEED", "LIVE", "SILENT", "STOPPED", "GAPS"):
        minutes_of(db, symbol, 2900)
    db.execute(
        "delete from candles_1m where symbol = 'GAPS' and ("
        "open_time between now() - interval '3 hours' and now() - interval '2 hours 50 minutes'"
        " or open_time between now() - interval '40 hours' and now() - interval '30 hours'"
        " or open_time > now() - interval '7 minutes')"
    )
    feed_of(db, "LIVE", "live")
    feed_of(db, "SILENT", "live", silent="3 hours")
    feed_of(db, "STOPPED", "stopped", silent="3 days")
    feed_of(db, "GAPS", "disconnected")
    feed_of(db, "NEW", "catching up")
    shown, _ = shown_symbols(run_cli, database_url)
    newest = db.execute("select to_char(max(open_time) at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from candles_1m")
    newest = newest.fetchone()[0]
    whole = {symbol: cells for symbol, cells in shown.items() if symbol not in {"GAPS", "NEW"}}
    assert {symbol: cells[-2] for symbol, cells in whole.items()} == {
        "NOFEED": "-", "LIVE": "live", "SILENT": "silent 3 h", "STOPPED": "stopped 3 d",
    }  # fmt: skip
    for cells in whole.values():
        assert (cells[0], cells[1], cells[3], cells[5]) == ("2", newest, "none", "-")
        assert re.fullmatch(r"\d+ s|1 min", cells[2])
    minutes, gaps = re.fullmatch(r"(\d+) in (\d+)", shown["GAPS"][3]).groups()
    assert int(minutes) in {15, 16, 17}, "ten or eleven, and the newest ones; gaps older than a day do not count"
    assert gaps == "2"
    assert shown["GAPS"][2] in {"6 min", "7 min", "8 min"}
    assert shown["GAPS"][4] == "disconnected"
    assert shown["NEW"][:4] == ["-", "-", "-", "-"]
    assert shown["NEW"][4] == "catching up"


def test_the_newest_prediction_is_shown_by_candle_time(live, live_url, run_cli):
    live.execute("call run_inference(%s)", (NEWEST,))
    age = live.execute("select now() - %s > interval '300 days'", (NEWEST,)).fetchone()[0]
    shown, _ = shown_symbols(run_cli, live_url)
    assert shown["DEMO"][-1] == ("2026-05-02" if age else "05-02 11:59")
    assert shown["DEMO"][1] == "2026-05-02 11:59"


def test_an_error_of_many_symbols_is_shown_once(db, database_url, run_cli):
    lost = "wss://data-stream.binance.vision cannot be reached: [Errno -2] Name or service not known"
    for number in range(30):
        feed_of(db, f"S{number:02}USDT", "disconnected", error=lost, since=f"{number} s")
    feed_of(db, "OVER", "live", error="an error that is over", since="2 days")
    feed_of(db, "OLD", "disconnected", error="an old error that continues\x1b[2J", since="2 days")
    feed_of(db, "FRESH", "live", error="2026-05-02 11:58 UTC was rejected: [red]", since="1 hour")
    shown, rest = shown_symbols(run_cli, database_url)
    assert len(shown) == 33
    assert rest[0].startswith("33 symbols, 33 with gaps; feeds: 31 disconnected, 2 live. ")
    errors = [re.split(r" {2,}", line) for line in rest[rest.index("Recent feed errors") + 3 :] if line]
    assert [(symbol, error) for symbol, _, error in errors] == [
        ("S00USDT and 29 more", lost),
        ("FRESH", "2026-05-02 11:58 UTC was rejected: [red]"),
        ("OLD", "an old error that continues\\x1b[2J"),
    ]


def test_times_are_utc_in_any_session_time_zone(live, live_url, run_cli):
    live.execute("call run_inference(%s)", (NEWEST,))
    done = run_cli(live_url, "status", env={"PGTZ": "Asia/Kolkata"})
    assert done.stdout.count("2026-05-02 11:59") == 3, "candles, ensembles, runs"
    assert "17:29" not in done.stdout


def test_without_errors_there_is_no_heading(db, database_url, run_cli):
    feed_of(db, "LIVE", "live")
    assert "Recent feed errors" not in run_cli(database_url, "status").stdout


@pytest.mark.parametrize("columns", ["80", "400"])
def test_each_symbol_has_one_line(db, database_url, run_cli, columns):
    for number in range(12):
        minutes_of(db, f"S{number:03}USDT", 3)
        feed_of(db, f"S{number:03}USDT", "disconnected", error="HTTP 503 of " + "a long name " * 20)
    shown, _ = shown_symbols(run_cli, database_url, columns)
    assert [cells[4] for symbol, cells in shown.items() if symbol.startswith("S0")] == ["disconnected"] * 12


def test_a_feeder_sees_candles_and_permission_denied(db, database_url, run_cli):
    done = run_cli(conninfo.make_conninfo(database_url, options="-c role=candlecast_feeder"), "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Candles: none")
    assert "Ensembles: permission denied (needs candlecast_reader)" in done.stdout
