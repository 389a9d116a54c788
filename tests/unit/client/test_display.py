"""Untrusted text is printed verbatim: no markup, no emoji codes, no terminal escapes."""

import io

import pytest
from rich.console import Console

from candlecast.client.display import cell, console, print_error
from candlecast.client.progress import show_progress
from candlecast.core.errors import CandlecastUserError, FileRefused
from candlecast.core.text import plain, plain_lines, shorten

NASTY = ["[/x]", "[red]X.csv", "a:heart:b", "{task}", "\x1b[2Jgone", "one\ntwo", "\u202egnp.exe", "\udcff", "\x9b2J"]


@pytest.mark.parametrize("text", NASTY)
def test_plain_text_is_one_line_and_encodes(text: str) -> None:
    printed = plain(text)
    assert printed.isprintable()
    assert printed.encode()
    if text.isprintable():
        assert printed == text


def test_control_characters_are_escaped_and_newlines_optional() -> None:
    assert plain("a\x1b[2J\nb") == "a\\x1b[2J\\nb"
    assert plain_lines("a\x1b\nb") == "a\\x1b\nb"
    assert shorten("x" * 1000) == "'" + "x" * 59 + "... (1,002 characters)"


@pytest.mark.parametrize("text", NASTY)
def test_the_console_prints_text_verbatim(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table("name")
    table.add_row(cell(plain(text)))
    out = console()
    out.print(table)
    out.print(plain(text))
    assert capsys.readouterr().out.count(plain(text)) == 2


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("terminal", [True, False])
def test_progress_accepts_any_title(text: str, terminal: bool) -> None:
    to = io.StringIO()
    with show_progress(Console(file=to, force_terminal=terminal, width=200, color_system=None), text) as step:
        step(1, 2, text)
    assert f"{plain(text)}: done in" in to.getvalue()


def test_errors_are_printed_without_terminal_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(FileRefused("\x1b[2J\n[red]X.csv", "no\x1b[31m", "look\x07"))
    print_error(CandlecastUserError("one\ntwo"))
    assert capsys.readouterr().err == (
        "candlecast: \\x1b[2J\\n[red]X.csv: no\\x1b[31m\nhint: look\\x07\ncandlecast: one\ntwo\n"
    )
