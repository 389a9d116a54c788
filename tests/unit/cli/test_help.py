"""The help of every command: a short first sentence, an example, a description of every option."""

import pytest
import typer
from typer.testing import CliRunner

from candlecast.cli.app import app

COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_a_first_sentence_an_example_and_all_options(name):
    command = COMMANDS[name]
    first, *rest = command.help.split("\n\n")
    assert first.endswith(".")
    assert len(first) <= 90
    assert any(paragraph.startswith(f"Example: `candlecast {name}") for paragraph in rest)
    for parameter in command.params:
        assert parameter.name == "help" or (parameter.help or "").endswith("."), parameter.name


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_fits_80_columns(arguments):
    shown = CliRunner().invoke(app, arguments, env={"COLUMNS": "80", "TERM": "dumb"})
    assert shown.exit_code == 0
    assert max(map(len, shown.stdout.splitlines())) <= 80
