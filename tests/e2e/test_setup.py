"""The setup scripts, run as `make` runs them, on clusters and files of the tests."""

import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.processes import CANDLECAST
from tests.support.backfilling import fill, market_of
from tests.support.paths import ROOT


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run bash in the project's folder after sourcing scripts/common.sh."""
    return subprocess.run(
        ["bash", "-c", f"source scripts/common.sh; {script}"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def cluster_script(action: str, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/cluster.sh", action],
        cwd=ROOT,
        env=os.environ | {"CLUSTER": name},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("text", ["plain", "two words", "it's", "a$b`c`\\d", "postgresql:///x?host=/run&port=1", ""])
def test_env_values_survive_a_shell_and_a_parser(text: str) -> None:
    done = bash('quoted=$(shell_quote "$TEXT"); eval "back=$quoted"; printf "%s\\n%s" "$quoted" "$back"', TEXT=text)
    quoted, back = done.stdout.split("\n")
    assert back == text
    assert shlex.split(quoted) == [text]


@pytest.mark.parametrize("name", ["Main", "15", "a-b", "../etc", "a b", "x" * 41])
def test_an_invalid_cluster_name_is_refused(name: str) -> None:
    done = bash("true", CLUSTER=name)
    assert done.returncode == 78
    assert "is not a valid name" in done.stderr
    assert "what to do:" in done.stderr


@pytest.mark.parametrize("action", ["create", "start", "stop", "drop"])
def test_a_cluster_of_another_project_is_not_changed(action: str, foreign_cluster: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in foreign_cluster.iterdir()}
    done = cluster_script(action, foreign_cluster.name)
    assert done.returncode == 78
    assert "candlecast did not create" in done.stderr
    assert "CLUSTER=other" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in foreign_cluster.iterdir()} == before


def test_only_a_moved_clone_may_use_the_cluster_of_another_path(foreign_cluster: Path, tmp_path: Path) -> None:
    other_clone = tmp_path / "clone"
    (other_clone / "scripts").mkdir(parents=True)
    (other_clone / "scripts/cluster.sh").touch()
    as_root(["tee", str(foreign_cluster / "candlecast.project")], f"{other_clone}\n")
    refused = cluster_script("stop", foreign_cluster.name)
    assert refused.returncode == 78
    assert f"belongs to the clone in {other_clone}" in refused.stderr

    (other_clone / "scripts/cluster.sh").unlink()
    assert cluster_script("stop", foreign_cluster.name).returncode == 0


@pytest.fixture
def foreign_cluster() -> Iterator[Path]:
    """The configuration folder of a cluster that another program created. It is never started."""
    if not os.environ.get("CANDLECAST_TEST_URL"):
        pytest.skip("creates a PostgreSQL cluster: run it with `make test`")
    version = bash("installed_postgres").stdout.strip()
    name = f"foreign_{os.getpid()}"
    as_root(["env", "LC_ALL=C.UTF-8", "pg_createcluster", "--no-status", "--start-conf", "manual", version, name])
    yield Path("/etc/postgresql") / version / name
    as_root(["pg_dropcluster", version, name])
    as_root(["rm", "-rf", f"/etc/postgresql/{version}/{name}"])


def test_clean_keeps_an_environment_that_is_in_use() -> None:
    if not os.environ.get("CANDLECAST_TEST_URL"):
        pytest.skip("needs the cluster of a test run: run it with `make test`")
    name = Path(sys.executable).parents[2].name  # /var/lib/candlecast/<name>/venv/bin/python
    done = subprocess.run(
        ["scripts/clean.sh"],
        cwd=ROOT,
        env=os.environ | {"CLUSTER": name, "YES": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "a test or benchmark uses" in done.stderr
    assert Path(sys.executable).exists()


def as_root(command: list[str], text: str = "") -> None:
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*prefix, *command], input=text, text=True, check=True, capture_output=True)


def test_the_server_has_the_settings_that_candlecast_needs(admin: psycopg.Connection) -> None:
    row = admin.execute("""
        select current_setting('shared_preload_libraries'), current_setting('cron.use_background_workers'),
            current_setting('data_checksums'), current_setting('listen_addresses'),
            (select datcollate from pg_database where datname = 'postgres')
    """).fetchone()
    assert row == ("pg_cron", "on", "on", "localhost", "C.UTF-8")


def test_the_server_imports_the_installed_package_not_the_clone(db: psycopg.Connection) -> None:
    db.execute("""
        create function pg_temp.place() returns text language plpython3u as $$
            import candlecast
            return candlecast.__file__
        $$
    """)
    (place,) = db.execute("select pg_temp.place()").fetchone()
    assert place.startswith("/var/lib/candlecast/candlecast_test_")


def test_the_server_limits_libraries_to_one_thread(db: psycopg.Connection) -> None:
    db.execute("""
        create function pg_temp.variable(name text) returns text language plpython3u as $$
            import os
            return os.environ.get(name)
        $$
    """)
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ML_TORCHSCRIPT"]
    values = [db.execute("select pg_temp.variable(%s)", [name]).fetchone()[0] for name in names]
    assert values == ["1", "1", "on"]


@pytest.mark.skipif(not (ROOT / ".env").exists(), reason="make up has not been run in this clone")
def test_env_is_private_and_names_an_interpreter() -> None:
    path = ROOT / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = dict(word.split("=", 1) for word in shlex.split(path.read_text(), comments=True))
    assert values["DATABASE_URL"].startswith("postgresql:///")
    assert os.access(values["CANDLECAST_PYTHON"], os.X_OK)


#: The output for generated candles.
SYNTHETIC = ["GENERATED", "synthetic (generated)", "symbols: DEMO"]


def choose(url: str, folder: Path, rest_url: str, candles: str = "", network: str = "") -> list[str]:
    """The output of step "candles" of `make up`, then each symbol's source, then the symbols. Without pg_cron nothing
    is generated.

    ``network``: a piece of bash before it.
    """
    command = folder / "bin/candlecast"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.join(CANDLECAST)} "$@"\n')
    command.chmod(0o755)
    script = f"""
        state=$FOLDER venv=$FOLDER python={sys.executable} symbols=()
        source scripts/candles.sh
        days=2
        generate_candles() {{ say "  GENERATED"; }}
        {network}
        choose_symbols
        for symbol in "${{symbols[@]}}"; do candle_source "$symbol"; echo; done
        echo "symbols: ${{symbols[*]}}"
    """
    addresses = {f"CANDLECAST_BINANCE_{name}_URL": rest_url for name in ("REST", "ARCHIVE")}
    done = bash(script, FOLDER=str(folder), DATABASE_URL=url, CANDLES=candles, COLUMNS="200", **addresses)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "command failed" not in done.stderr
    return [line.strip() for line in done.stdout.splitlines()]


def test_make_up_takes_the_exchanges_candles_and_keeps_to_them(db, database_url, tmp_path) -> None:
    with market_of(2) as exchange:
        said = choose(database_url, tmp_path, exchange.rest_url)
        assert said[0] == (
            f"downloading 2 days of BTCUSDT from {exchange.rest_url} (CANDLECAST_BINANCE_REST_URL)"
            " (CANDLES=demo generates candles instead)"
        )
        assert f"{exchange.rest_url} (CANDLECAST_BINANCE_REST_URL)" in said
        assert said[-1] == "symbols: BTCUSDT"
        assert "GENERATED" not in said
        db.execute("delete from candles_1m where open_time >= '2026-05-03'")
        said = choose(database_url, tmp_path, exchange.rest_url)
        assert db.execute("select max(open_time) = '2026-05-03 06:29+00' from candles_1m").fetchone() == (True,)
        assert said[-1] == "symbols: BTCUSDT"

    said = choose(database_url, tmp_path, exchange.rest_url)  # the exchange no longer runs
    assert said[0].startswith("candles not updated, the newest is 2026-05-03 06:29 UTC: http://127.0.0.1:")
    assert said[-1] == "symbols: BTCUSDT"
    assert "GENERATED" not in said


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("", "http://127.0.0.1:1 cannot be reached: All connection attempts failed"),
        ("timeout() { shift 3; command timeout -k 1 0.1 sleep 60; }", "no answer within 5 s"),
    ],
)
def test_make_up_generates_candles_without_the_exchange(db, database_url, tmp_path, network: str, reason: str) -> None:
    said = choose(database_url, tmp_path, "http://127.0.0.1:1", network=network)
    assert said == [f"no candles from the exchange: {reason}", *SYNTHETIC]
    assert db.execute("select count(*) from candles_1m").fetchone() == (0,)


def test_make_up_generates_candles_on_demand(db, database_url, tmp_path) -> None:
    with market_of(2) as exchange:
        assert choose(database_url, tmp_path, exchange.rest_url, "demo") == SYNTHETIC
        db.execute(
            "insert into candles_1m (symbol, open_time, open, high, low, close, volume, quote_asset_volume,"
            " taker_buy_base_asset_volume, taker_buy_quote_asset_volume, number_of_trades)"
            " values ('DEMO', '2026-05-01', 1, 1, 1, 1, 0, 0, 0, 0, 0)"
        )
        assert choose(database_url, tmp_path, exchange.rest_url) == SYNTHETIC
        assert not exchange.counters.requests


def test_make_up_keeps_candles_of_another_feeder(db, database_url, tmp_path) -> None:
    with market_of(2) as exchange:
        assert fill(exchange, database_url, 1) == 0
        asked = exchange.counters.requests.copy()
        said = choose(database_url, tmp_path, exchange.rest_url)
        assert said[0] == "the database already has candles: nothing to load or generate"
        assert said[-1] == "symbols:"
        assert exchange.counters.requests == asked
