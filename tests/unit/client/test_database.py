"""The sources of the database URL, and errors of the connection."""

import re
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from candlecast.cli.app import app
from candlecast.client import database
from candlecast.client.database import connect, explain, read_env_file
from candlecast.core.errors import CandlecastUserError


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The URLs that psycopg got; the current folder is two levels below tmp_path, without a .env."""
    urls: list[str] = []
    monkeypatch.setattr(database.psycopg, "connect", lambda url, **_: urls.append(url))
    monkeypatch.setattr(database, "__file__", str(tmp_path / "project" / "candlecast" / "client" / "database.py"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    here = tmp_path / "outer" / "inner"
    here.mkdir(parents=True)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(here)
    return urls


def test_url_order_is_argument_environment_env_file_project(
    tried: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CandlecastUserError, match="no database is configured") as error:
        connect()
    assert "make up" in str(error.value.hint)
    for folder, url in (("project", "dbname=a"), ("outer", "dbname=b"), ("outer/inner", "dbname=c")):
        (tmp_path / folder / ".env").write_text(f"DATABASE_URL={url}\n")
        connect()
    monkeypatch.setenv("DATABASE_URL", "dbname=d")
    connect()
    connect("dbname=e")
    monkeypatch.setenv("DATABASE_URL", "")
    connect()
    assert tried == [f"dbname={name}" for name in "abcdec"]


def test_an_env_file_without_a_url_is_skipped(tried: list[str], tmp_path: Path) -> None:
    (tmp_path / "outer" / "inner" / ".env").write_text("OTHER=1\n")
    (tmp_path / "outer" / ".env").write_text("DATABASE_URL=dbname=b\n")
    connect()
    assert tried == ["dbname=b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\n\n# no\nB=2 # two\n", {"A": "1", "B": "2"}),
        ("A='postgresql:///db?host=/a b&port=1'\n", {"A": "postgresql:///db?host=/a b&port=1"}),
        ('A="it\'s"\n', {"A": "it's"}),
        ("A=a\\ b\n", {"A": "a b"}),
        ("A=b=c\n", {"A": "b=c"}),
        ("export A=1\n", {"A": "1"}),
        ("A=\n", {"A": ""}),
    ],
)
def test_an_env_file_is_parsed_like_a_shell_script(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    path = tmp_path / ".env"
    path.write_text(text)
    assert read_env_file(path) == expected


def test_an_open_quote_in_an_env_file_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\nB='2\n")
    with pytest.raises(CandlecastUserError, match="line 2: No closing quotation"):
        read_env_file(path)


def test_a_failed_connection_has_a_remedy_and_no_password() -> None:
    with pytest.raises(CandlecastUserError, match="no connection to the database") as error:
        connect("postgresql://nobody:secret@localhost:1/none")
    assert "make up" in str(error.value.hint)
    assert "secret" not in error.value.message


def test_an_invalid_url_is_not_printed() -> None:
    with pytest.raises(CandlecastUserError, match="cannot be parsed") as error:
        connect("postgresql+psycopg://me:secret@localhost/none")
    assert "secret" not in error.value.message + str(error.value.hint)


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (psycopg.errors.UndefinedTable("x"), "alembic upgrade head"),
        (psycopg.errors.InsufficientPrivilege("x"), "candlecast_feeder"),
        (psycopg.OperationalError("x"), "Check the database server"),
    ],
)
def test_errors_of_the_server_have_a_remedy(error: psycopg.Error, hint: str) -> None:
    assert hint in str(explain(error).hint)


def test_a_permission_error_names_the_role_of_each_command() -> None:
    hint = str(explain(psycopg.errors.InsufficientPrivilege("x")).hint)
    assert re.findall(r"([a-z ,&-]+?): (candlecast_\w+(?: and candlecast_\w+)?)", hint.partition(". ")[2]) == [
        ("load, backfill, repair and feed", "candlecast_feeder"),
        (" retrain, train and publish --as test", "candlecast_trainer"),
        (" publish --as active", "candlecast_trainer and candlecast_operator"),
        (" status, evaluate and card", "candlecast_reader"),
    ]


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout.split()[0].rstrip(",")) == (0, "candlecast")


@pytest.mark.parametrize("text", ["[/x]", "2026-02-31", "0001-01-01T00:00+14:00", "\x1b[2J"])
def test_an_invalid_time_is_rejected(text: str) -> None:
    result = CliRunner().invoke(app, ["train", "--from", text])
    assert result.exit_code == 2
    assert "is not a time. Write 2026-03-01," in " ".join(result.stderr.replace("│", " ").split())
    assert "\x1b[2J" not in result.stderr


def test_a_command_prints_message_and_hint_without_traceback(tried: list[str]) -> None:
    result = CliRunner().invoke(app, ["load", "x.csv"])
    assert result.exit_code == 1
    message, hint = result.stderr.splitlines()
    assert message == "candlecast: no database is configured"
    assert hint.startswith("hint: Run `make up`")
