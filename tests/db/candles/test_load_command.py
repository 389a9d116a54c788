"""`candlecast load`: output, exit status, and errors of rights and schema."""

import os
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from candlecast.cli.app import app
from tests.support.csv_files import line, stored, write


def run(database_url: str, *arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["load", *map(str, arguments), "--database-url", database_url])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_load_prints_counts_and_gaps(database_url: str, tmp_path: Path) -> None:
    status, out, err = run(database_url, write(tmp_path, line(0), line(1), line(1), line(5)))
    assert (status, err) == (0, "")
    row = next(shown for shown in out.splitlines() if "BTCUSDT-1m-2026-03.csv │" in shown)
    assert [cell.strip() for cell in row.split("│")[2:-1]] == ["BTCUSDT", "3", "3", "0", "0", "0", "1", "1"]
    assert "BTCUSDT has no candles for 2026-03-01 00:02 to 2026-03-01 00:04 (3 min)" in out


def test_load_continues_after_a_rejected_file(database_url: str, db: psycopg.Connection, tmp_path: Path) -> None:
    bad = write(tmp_path, line(0), line(1, low=-1), name="AUSDT-1m.csv")
    good = write(tmp_path, line(0), name="BUSDT-1m.csv")
    status, out, err = run(database_url, bad, tmp_path / "CUSDT-1m.csv", good)
    assert status == 1
    assert [row[0] for row in stored(db)] == ["BUSDT"]
    assert out.count("rejected") == 2
    assert f"candlecast: {bad}: line 3: " in err
    assert f"candlecast: {tmp_path / 'CUSDT-1m.csv'}: no such file" in err
    assert err.count("hint: ") == 2


def test_load_rejects_an_invalid_symbol_and_writes_nothing(
    database_url: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    path = write(tmp_path, line(0))
    for symbol in ("[/x]", "A\x1b[31m", "A" * 41):
        status, out, err = run(database_url, path, "--symbol", symbol)
        assert status == 1
        assert "rejected" in out
        assert f"candlecast: {path}: {symbol!r} is not a symbol" in err
    assert stored(db) == []


@pytest.mark.parametrize("name", ["[red]X.csv", "[bold].csv", "a:heart:b.csv", "{x}.csv", "\x1b[2J.csv"])
def test_load_prints_names_verbatim(database_url: str, db: psycopg.Connection, tmp_path: Path, name: str) -> None:
    missing = tmp_path / f"not-{name}"
    path = write(tmp_path, line(0), line(2), line(10**7), name=name)
    status, out, err = run(database_url, path, missing, "--symbol", "X:heart:Y")
    shown = name.replace("\x1b", "\\x1b")
    assert status == 1
    assert [row[0] for row in stored(db)] == ["X:heart:Y"] * 2
    assert f"│ {shown} " in out
    assert f"{shown}: X:heart:Y has no candles for 2026-03-01 00:01" in out
    assert f"{shown}: skipped 1 candle that ends after now" in out
    assert f"{tmp_path}/not-{shown}: no such file" in err
    assert "\x1b" not in out + err


def test_a_table_in_a_pipe_is_not_folded(database_url: str, tmp_path: Path) -> None:
    path = write(tmp_path, line(0), line(2), name="BTCUSDT-1m-" + "long-" * 40 + ".csv")
    status, out, _ = run(database_url, path)
    assert status == 0
    assert f"│ {path.name} │ BTCUSDT │" in out
    assert f"{path.name}: BTCUSDT has no candles for 2026-03-01 00:01 to 2026-03-01 00:01 (1 min)\n" in out


def test_load_without_rights_names_the_role(database_url: str, db: psycopg.Connection, tmp_path: Path) -> None:
    name = f"reader_{os.getpid()}"
    db.execute(f"create role {name} login in role candlecast_reader")
    try:
        path = write(tmp_path, line(0))
        with psycopg.connect(database_url, autocommit=True) as admin:
            database = admin.info.dbname
            admin.execute(f"grant connect, temporary on database {database} to {name}")
        # Uses SET ROLE, because the authentication of logins depends on the cluster.
        url = psycopg.conninfo.make_conninfo(database_url, options=f"-c role={name}")
        status, out, err = run(url, path)
        assert (status, out) == (1, "")
        assert "candlecast: permission denied for table candles_1m" in err
        assert "candlecast_feeder" in err
        assert stored(db) == []
    finally:
        db.execute(f"drop owned by {name}")
        db.execute(f"drop role {name}")


def test_load_without_the_table_names_the_command_to_run(
    database_url: str, db: psycopg.Connection, tmp_path: Path
) -> None:
    db.execute("drop table candles_1m cascade")
    status, _, err = run(database_url, write(tmp_path, line(0)))
    assert status == 1
    assert "alembic upgrade head" in err
