"""docs/how-to/feed.md and own-feeder.md: their programs and queries run, their figures equal those of the code."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from candlecast.exchanges.base import Exchange
from tests.support.deployment import MINUTE, NEWEST
from tests.support.documents import block, blocks, page, section
from tests.support.paths import ROOT

FEED, FEEDER = page("feed"), page("own-feeder")
#: Sources of tokio-postgres and its dependencies, as Debian's librust-tokio-postgres-dev installs them.
CRATES = Path(os.environ.get("CANDLECAST_TEST_CRATES", "/usr/share/cargo/registry"))
NEXT = NEWEST + MINUTE


@pytest.fixture
def feeder_url(live, live_url):
    """The URL of the live database for the documented login."""
    live.execute(block(FEEDER, "sql", "create role"))
    yield conninfo.make_conninfo(live_url, user=live.info.user, options="-c role=my_feeder")
    live.execute("drop role my_feeder")


def candle(**changes):
    """A valid candle of DEMO, one minute after the newest."""
    values = {
        "symbol": "DEMO", "open_time": NEXT.isoformat(), "open": 75000.0, "high": 75010.0, "low": 74990.0,
        "close": 75005.0, "volume": 12.5, "quote_asset_volume": 937562.5, "taker_buy_base_asset_volume": 6.5,
        "taker_buy_quote_asset_volume": 487532.5, "number_of_trades": 1893,
    }  # fmt: skip
    return values | changes


def stored_closes(live, at=NEXT):
    query = "select close from candles_1m where symbol = 'DEMO' and open_time >= %s order by open_time"
    return [row.close for row in live.execute(query, (at,)).fetchall()]


def predict_when_stored(live, process):
    """Predict once the process has written the candle, as pg_cron does. Returns its output and errors."""
    for _ in range(300):
        if stored_closes(live):
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    live.execute("call run_inference(%s)", (NEXT,))
    return process.communicate(timeout=60)


def expected_lines(live, probability):
    rows = live.execute(
        "select horizon, target_time, predicted_price, probability_up from latest_predictions"
        " where symbol = 'DEMO' and candle_time = %s order by horizon",
        (NEXT,),
    ).fetchall()
    assert [row.horizon for row in rows] == [1, 2, 3, 4, 5]
    return [
        f"DEMO in {row.horizon} min, {row.target_time:%H:%M}: {row.predicted_price:.2f}, up {probability}"
        for row in rows
    ]


def test_the_sql_runs_as_a_feeder(live, feeder_url, tmp_path):
    live.execute("call run_inference(%s)", (NEWEST,))
    statements = [text for text in blocks(FEEDER, "sql") if "create role" not in text] + blocks(FEED, "sql")
    script = "\n".join(statements).replace("BTCUSDT", "DEMO")
    (tmp_path / "feeder.sql").write_text(script)
    command = ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", feeder_url, "-f", str(tmp_path / "feeder.sql")]
    for _ in range(2):  # idempotent
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "INSERT 0 1" in done.stdout
        assert sum(line.startswith("2026-05-02 11:59:00+00|") for line in done.stdout.splitlines()) == 5
    assert stored_closes(live, NEWEST) == [75099.9], "the stored candle of 11:59 is corrected"


def test_the_python_feeder_stores_and_reads_predictions(live, feeder_url, tmp_path):
    (tmp_path / "feeder.py").write_text(block(FEEDER, "python", "feeder.py"))
    lines = [candle(), candle(high=1.0), candle(spread_bps=0.4)]
    (tmp_path / "candles.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with (tmp_path / "candles.jsonl").open() as candles:
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "feeder.py")],
            stdin=candles, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"DATABASE_URL": feeder_url, "PGTZ": "UTC", "PATH": os.environ["PATH"]},
        )  # fmt: skip
    output, errors = predict_when_stored(live, process)
    assert output.splitlines() == expected_lines(live, None) * 2, "once for each stored candle"
    assert errors.startswith("refused: candles_1m_prices_within_high_and_low {")
    assert process.returncode == 0
    assert stored_closes(live) == [75005.0]


def test_the_python_feeder_imports_only_psycopg():
    imported = re.findall(r"^import (\w+)", block(FEEDER, "python", "feeder.py"), flags=re.MULTILINE)
    assert [name for name in imported if name not in sys.stdlib_module_names] == ["psycopg"]


def test_the_server_accepts_the_sql_of_the_rust_feeder(live, feeder_url):
    """Also without a Rust toolchain: the server prepares the statements, as tokio-postgres does."""
    statements = re.findall(r'const \w+: &str = "\s+(.*?)";', block(FEEDER, "rust", "tokio::main"), flags=re.DOTALL)
    assert len(statements) == 2
    with psycopg.connect(feeder_url, autocommit=True) as connection:
        for number, statement in enumerate(statements):
            connection.execute(f"prepare statement_{number} as {statement}")
        types = connection.execute("select name, parameter_types::text from pg_prepared_statements order by name")
        numbers = ",".join(['"double precision"'] * 8)
        assert types.fetchall() == [
            ("statement_0", f'{{text,"timestamp with time zone",{numbers},bigint,"double precision"}}'),
            ("statement_1", '{text,"timestamp with time zone"}'),
        ]


@pytest.fixture(scope="module")
def rust_feeder(tmp_path_factory):
    """The documented Rust program, built without a network."""
    if not shutil.which("cargo"):
        pytest.skip("cargo is not installed")
    folder = tmp_path_factory.mktemp("rust")
    (folder / "src").mkdir()
    (folder / ".cargo").mkdir()
    package = '[package]\nname = "feeder"\nversion = "0.1.0"\nedition = "2021"\n\n'
    (folder / "Cargo.toml").write_text(package + block(FEEDER, "toml", "tokio-postgres"))
    (folder / "src/main.rs").write_text("#![deny(warnings)]\n" + block(FEEDER, "rust", "tokio::main"))
    source = f'[source.crates-io]\nreplace-with = "here"\n[source.here]\ndirectory = "{CRATES}"\n'
    (folder / ".cargo/config.toml").write_text(
        "[profile.dev]\ndebug = 0\n" + (source if list(CRATES.glob("tokio-postgres-0.7*")) else "")
    )

    def cargo(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["cargo", *arguments, "--offline"], cwd=folder, capture_output=True, text=True, check=False
        )

    if cargo("generate-lockfile").returncode or cargo("fetch").returncode:
        pytest.skip(
            f"tokio-postgres is neither in {CRATES} (apt install librust-tokio-postgres-dev) nor in cargo's own cache"
        )
    built = cargo("build")
    assert built.returncode == 0, built.stderr
    return folder / "target/debug/feeder"


def test_the_rust_feeder_stores_and_reads_predictions(live, feeder_url, rust_feeder):
    names = re.search(r"//! feeder (.*)", block(FEEDER, "rust", "tokio::main"))[1].split()
    words = [str(value) for value in (candle() | {"open_time": int(NEXT.timestamp())}).values()]
    assert len(words) == len(names)
    environment = {"DATABASE_URL": feeder_url}
    process = subprocess.Popen(
        [rust_feeder, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    output, errors = predict_when_stored(live, process)
    assert (output.splitlines(), errors, process.returncode) == (expected_lines(live, None), "", 0)
    assert stored_closes(live) == [75005.0]
    words[3] = "1.0"
    done = subprocess.run([rust_feeder, *words], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "candles_1m_prices_within_high_and_low" in done.stderr


def test_the_contract_lists_the_columns_of_the_table(db):
    contract = section(FEEDER, "The contract of candles_1m")
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([a-z ]*) \|", contract, flags=re.MULTILINE)
    listed = [(name, kind) for names, kind in rows for name in re.findall(r"`(\w+)`", names)]
    columns = db.execute(
        "select attname::text, replace(format_type(atttypid, null), 'timestamp with time zone', 'timestamptz')"
        " from pg_attribute where attrelid = 'candles_1m'::regclass and attnum > 0 and not attisdropped"
    ).fetchall()
    assert sorted(listed) == sorted(columns)
    for constraint in re.findall(r"`(candles_1m_\w+)`", contract):
        assert db.execute("select from pg_constraint where conname = %s", (constraint,)).fetchone() is not None


REFUSED = [
    {"symbol": ""}, {"symbol": "-X"}, {"symbol": "X" * 41}, {"open_time": "2026-05-02 12:00:01+00"},
    {"open_time": "1969-12-31 23:59+00"}, {"open_time": "2100-01-01 00:00+00"},
    {"low": 1e-12}, {"high": 1e12}, {"close": 75010.5}, {"open": 74989.0}, {"volume": 1e-19}, {"volume": 2e18},
    {"quote_asset_volume": 1e18}, {"taker_buy_base_asset_volume": 12.6}, {"taker_buy_quote_asset_volume": 937563.5},
    {"number_of_trades": 10**12 + 1}, {"number_of_trades": -1}, {"spread_bps": -0.1}, {"spread_bps": 1e6},
    {"volume": float("nan")}, {"close": float("nan")}, {"high": float("inf")}, {"volume": -1.0},
]  # fmt: skip


def test_the_table_rejects_what_the_contract_excludes(db):
    names = list(candle(spread_bps=None))
    insert = f"insert into candles_1m ({', '.join(names)}) values ({', '.join(f'%({name})s' for name in names)})"
    for allowed in ({"symbol": "A:b/c.d_e-f"}, {"spread_bps": 0.0}, {"volume": 1e18, "symbol": "X" * 40}):
        db.execute(insert, candle(spread_bps=None) | allowed)
    for changes in REFUSED:
        try:
            db.execute(insert, candle(symbol="OTHER", spread_bps=None) | changes)
        except psycopg.errors.CheckViolation:
            continue
        pytest.fail(f"the table accepts {changes}")


def test_late_and_corrected_candles_have_documented_effects(live):
    live.execute("call run_inference(%s)", (NEWEST - 5 * MINUTE,))
    asked = "select horizon, predicted_close, predicted_price from predictions order by horizon"
    before = live.execute(asked).fetchall()
    outcomes = "select actual_return from prediction_outcomes where horizon = 5"
    (outcome,) = live.execute(outcomes).fetchone()
    correct = (
        "update candles_1m set close = close * 1.0001, high = high * 1.001 where symbol = 'DEMO' and open_time = %s"
    )
    for corrected in (NEWEST - 5 * MINUTE, NEWEST):
        live.execute(correct, (corrected,))
    assert live.execute(asked).fetchall() == before, "stored predictions do not change"
    assert live.execute(outcomes).fetchone()[0] == pytest.approx(outcome + 1e-4, abs=1e-7), (
        "the outcome follows the corrected target"
    )
    stored = live.execute("select predicted_close from predict_now('DEMO') order by horizon").fetchall()
    live.execute(correct, (NEWEST,))
    assert live.execute("select predicted_close from predict_now('DEMO') order by horizon").fetchall() == stored
    again = "select predicted_close from predict('DEMO', %s) order by horizon"
    assert live.execute(again, (NEWEST - 5 * MINUTE,)).fetchall() != [(row.predicted_close,) for row in before]
    live.execute("delete from candles_1m where open_time = %s", (NEWEST - 9 * MINUTE,))
    with pytest.raises(psycopg.Error, match="DEMO has no candle at 2026-05-02 11:50"):
        live.execute(again, (NEWEST - MINUTE,))


def test_the_alarm_query_finds_broken_feeds(db):
    alarm = block(FEED, "sql", "interval '3 minutes'")

    def alarms():
        return [row[0] for row in db.execute(alarm).fetchall()]

    db.execute(
        "insert into candles_1m select symbol, date_trunc('minute', now()) - n * interval '1 minute', 1, 1, 1, 1, 1, 1,"
        " 1, 1, 1 from unnest(array['GOOD', 'SILENT', 'OLD', 'NOFEED', 'STOPPED']) as symbol, generate_series(0, 30) n"
    )
    db.execute("delete from candles_1m where symbol in ('OLD', 'NOFEED') and open_time > now() - interval '10 minutes'")
    db.execute(
        "insert into feed_status (symbol, exchange, state, host, pid)"
        " select symbol, 'binance', case symbol when 'STOPPED' then 'stopped' else 'live' end, 'here', 1"
        " from unnest(array['GOOD', 'SILENT', 'OLD', 'NEW', 'STOPPED']) as symbol"
    )
    assert alarms() == ["NEW", "OLD"]
    db.execute("update feed_status set heartbeat_at = now() - interval '2 minutes' where symbol = 'SILENT'")
    assert alarms() == ["NEW", "OLD", "SILENT"]


def test_the_figures_equal_those_of_the_code():
    from candlecast.candles.feed import reconciler, store, symbol_feed
    from candlecast.candles.feed.options import FeedOptions
    from candlecast.exchanges import binance, http, rate_limits

    options, limits = FeedOptions(), rate_limits.Limits(binance.WEIGHT_PER_MINUTE, "")
    text = " ".join(FEED.split())
    for figure, sentence in {
        timedelta(seconds=options.closing_grace): "a candle that is missing five seconds after its minute ended",
        timedelta(seconds=options.overlap): "from ten minutes before the newest stored minute on",
        timedelta(seconds=options.lookback): "at the start the last 24 hours",
        timedelta(seconds=options.verify_window): "every 7.5 to 15 minutes the last hour",
        timedelta(seconds=options.rest_margin): "and two seconds later for REST",
    }.items():
        assert sentence in text, figure
    assert (options.closing_grace, options.overlap, options.lookback) == (5, 600, 86_400)
    assert (options.verify_every, options.verify_window, options.rest_margin) == (900, 3600, 2)
    assert f"treated as lost after {options.silence:.0f} s" in text
    assert (limits.share, binance.WEIGHT_PER_MINUTE) == (0.5, 6000)
    assert f"from {limits.full:.0%} on".replace("%", " %") in text
    assert [rate_limits.PAUSE_SECONDS[status] for status in (429, 418, 403)] == [60, 120, 300]
    assert (rate_limits.MAX_PAUSE_SECONDS, http.MAX_CONCURRENT_REQUESTS, http.MAX_TRIES) == (300, 4, 6)
    assert f"{binance.Binance.max_symbols} symbols a feed" in text
    assert f"at most {reconciler.MAX_WAITING} candles a symbol" in text
    assert f"at most {store._MAX_BACKOFF_SECONDS:.0f} s after PostgreSQL is back" in text
    assert f"and is {symbol_feed.MAX_BACKOFF_SECONDS:.0f} s at most, doubled each time" in text
    assert binance._MAX_DOWNLOADS == 3
    assert "downloaded again, and after the third time rejected by name" in text


def test_its_environment_variables_have_the_documented_defaults():
    source = (ROOT / "candlecast/exchanges/binance.py").read_text()
    for variable in re.findall(r"CANDLECAST_BINANCE_\w+", FEED):
        assert variable in source
    defaults = re.findall(r"_URL` \| `(\S+)`", FEED)
    assert len(defaults) == 3
    for default in defaults:
        assert f'"{default}"' in source


def test_the_exchange_has_the_documented_members():
    table = section(page("add-an-exchange"), "Write the client")
    members = [
        name for row in re.findall(r"^ *\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", row)
    ]
    assert len(members) == 7
    for name in members:
        assert name in Exchange.__annotations__ or hasattr(Exchange, name), name
