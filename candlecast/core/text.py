"""Text of unknown origin, made safe to print: no control characters, no endless lines."""

import unicodedata

#: Unicode categories that a terminal acts on or cannot show: control, format, surrogate, line and paragraph ends.
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def plain(value: object) -> str:
    r"""Its text on one line: what a terminal would act on is written out, ESC as \x1b."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in _NOT_SHOWN else character
        for character in str(value)
    )


def plain_lines(value: object) -> str:
    """``plain``, but line ends stay."""
    return "\n".join(plain(line) for line in str(value).split("\n"))


def shorten(value: object, max_length: int = 60) -> str:
    """A value as Python writes it, cut where it is long: a broken file may hold megabytes between two commas."""
    text = repr(value)
    return text if len(text) <= max_length else f"{text[:max_length]}... ({len(text):,} characters)"
