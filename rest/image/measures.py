"""How wide text is, near enough to break a label into lines where the page does."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from math import inf

# Hundredths of the size, from the space to the tilde: Roboto, medium, which the server draws with; others are close.
WIDTHS = (
    "25 26 32 60 57 74 64 17 35 35 44 56 22 34 28 39 57 57 57 57 57 57 57 57 57 57 26 24 51 56 52 49 90 "
    "66 63 65 65 56 55 68 71 28 56 63 54 87 71 69 64 69 63 61 61 65 65 88 63 61 60 27 42 27 43 45 32 54 "
    "56 52 56 54 35 57 56 25 25 52 25 87 56 57 56 57 35 51 33 56 50 74 50 49 50 33 25 33 66 "
)
ASCII = {chr(32 + at): int(width) / 100 for at, width in enumerate(WIDTHS.split())}
WIDE, NARROW = 1.0, 0.6
LONGEST_LABEL = 600
"""Characters that are looked at; a picture has no room for more."""
ELLIPSIS = "…"

# As in `web/adapters/x6-shapes.js`: Chinese and Japanese have no spaces, and a line may end behind each letter, but for
# what closes a sentence or a bracket.
_LETTERS = "\u2e80-\u2fff\u3005-\u3007\u3021-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CLOSING = "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f"
_WORD = re.compile(rf"(\s*)((?:[{_LETTERS}]|[^\s{_LETTERS}{_CLOSING}]+)[{_CLOSING}]*|[{_CLOSING}]+)")


@lru_cache(4_096)
def _advance(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0.0
    return WIDE if unicodedata.east_asian_width(character) in "WF" else NARROW


def width_of(text: str, size: float) -> float:
    return size * sum(ASCII.get(character) or _advance(character) for character in text)


def wrapped(label: str, size: float, room: float, most: int) -> Sequence[str]:
    """Lines that fit into `room`, the last of at most `most` cut short if there is more."""
    lines: list[str] = []
    for paragraph in label[:LONGEST_LABEL].split("\n"):
        used = inf
        for gap, word in _WORD.findall(paragraph.rstrip()):
            wide, space = width_of(word, size), ASCII[" "] * size * bool(gap)
            if used + space + wide <= room:
                lines[-1] += f" {word}" if gap else word
                used += space + wide
            else:
                lines.append(word)
                used = wide
    shown = lines[:most]
    if len(lines) > most:
        shown[-1] += f" {ELLIPSIS}"
    return [shortened(line, size, room) for line in shown]


def shortened(line: str, size: float, room: float) -> str:
    if width_of(line, size) <= room:
        return line
    left = room - size * NARROW
    for end, character in enumerate(line):
        left -= width_of(character, size)
        if left < 0 and end > 0:
            return line[:end] + ELLIPSIS
    return line
