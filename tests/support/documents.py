"""Reads the pages of the documentation: their sections, fenced blocks and commands."""

import re
import textwrap
from pathlib import Path

from tests.support.paths import ROOT

HOW_TO = ROOT / "docs" / "how-to"
_FENCED = re.compile(r"^( *)```(?P<language>\w*)\n(?P<text>.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{2,3} (?:<a id=.*?></a>)?(.*)\n", flags=re.MULTILINE)


def page(name: str) -> str:
    """The text of docs/how-to/<name>.md."""
    return (HOW_TO / f"{name}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """The text below a heading of level 2 or 3, up to the next one."""
    found = _HEADING.split(text)
    return dict(zip(found[1::2], found[2::2], strict=True))[title]


def fenced(text: str) -> list[tuple[str, str]]:
    """(language, text) of each fenced block in order, also of those inside lists, without their indentation."""
    return [(found["language"], textwrap.dedent(found["text"])) for found in _FENCED.finditer(text)]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [block for found, block in fenced(text) if found == language]


def block(text: str, language: str, word: str) -> str:
    """The only block of that language that contains the word."""
    (found,) = [one for one in blocks(text, language) if word in one]
    return found


def installation() -> list[str]:
    """The commands of "Install on an existing server": the server's settings, then the database."""
    settings, database = blocks(section(page("operate"), "Install on an existing server"), "bash")
    return [settings, database]


def commands(text: str) -> list[str]:
    """Every `candlecast ...` command line, in blocks without a language and in inline code."""
    lines = [line.removeprefix("$ ") for one in blocks(text, "") for line in one.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", _FENCED.sub("", text))
    return [line.partition("#")[0].strip() for line in lines + inline if line.startswith("candlecast ")]


def paths(pages: list[Path]) -> set[str]:
    """Every path of the repository that the pages name."""
    names = "bench|candlecast|deploy|scripts|tests|trainer"
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    return set(re.findall(rf"(?<![\w/.<-])((?:{names})/(?:[\w.-]+/)*[\w.-]*\w)", text))
