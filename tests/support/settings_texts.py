"""Writes anew what repeats candlecast/core/settings.py: the CHECK and the rows of ml_settings, a table of the manual.

python3 -m tests.support.settings_texts     (make golden runs it too)
"""

from pathlib import Path

from candlecast.core.settings import TABLE, environment_variable
from tests.support.paths import ROOT

MANUAL = ROOT / "docs/reference/settings.md"


def sql_file() -> Path:
    """The newest version of ml_settings."""
    return max((ROOT / "db/functions").rglob("ml_settings_v*.sql"), key=lambda path: path.name)


def sql_text(text: str) -> str:
    """The file's text with the conditions and the rows that the settings ask for."""
    conditions = "".join(f"            when '{name}' then {_condition(one.stored)}\n" for name, one in TABLE.items())
    text = _replaced(text, "        case name\n", conditions, "            else false\n")
    meanings = ((name, _quoted(f"{one.meaning}; default {one.default}")) for name, one in TABLE.items())
    rows = ",\n".join(f"('{name}', {meaning})" for name, meaning in meanings)
    return _replaced(text, "insert into ml_settings (name, meaning) values\n", rows, ";\n")


def manual_text(text: str) -> str:
    """The manual's text with the table of settings."""
    rows = "".join(
        f"| `{name}` | `{environment_variable(name)}` | {one.default} | {one.meaning.replace('|', chr(92) + '|')} |\n"
        for name, one in TABLE.items()
    )
    return _replaced(text, "| setting | environment | default | meaning |\n|---|---|---|---|\n", rows, "\n")


def _condition(stored: tuple[str, ...] | str) -> str:
    if isinstance(stored, str):
        return f"value ~ {_quoted(stored)}"
    return f"value in ({', '.join(map(_quoted, stored))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _replaced(text: str, start: str, new: str, end: str) -> str:
    """The text with ``new`` between the two marks."""
    before, _, rest = text.partition(start)
    _, found, after = ("\n" + rest).partition("\n" + end if end == "\n" else end)
    assert found, f"{start.strip()!r} and {end!r} are not in the file"
    return before + start + new + end + after


def main() -> None:
    """Write both files."""
    for path, changed in ((sql_file(), sql_text), (MANUAL, manual_text)):
        path.write_text(changed(path.read_text()))


if __name__ == "__main__":
    main()
