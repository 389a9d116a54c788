"""Makes text of unknown origin safe to print: no control characters, no very long lines."""

import unicodedata

#: Unicode categories that a terminal acts on or cannot show: control, format, surrogate, line and paragraph ends.
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def plain(value: object) -> str:
    r"""The text on one line, with control characters escaped: ESC becomes \x1b."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _NOT_SHOWN else character
        for character in str(value)
    )


def plain_lines(value: object) -> str:
    """``plain``, but line ends are kept."""
    return "\n".join(plain(line) for line in str(value).split("\n"))


def shorten(value: object, max_length: int = 60) -> str:
    """repr(value), truncated: a broken file may hold megabytes between two commas."""
    text = repr(value)
    return text if len(text) <= max_length else f"{text[:max_length]}... ({len(text):,} characters)"
