"""No file of the project tells where or how it was made: no private path, no package index, no talk of its builders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tree import ROOT, lines

BUILT = {".git", ".venv", "node_modules", "__pycache__", "dist", "build", "_data", "coverage"}
"""Folders that are made, not kept; so is everything in a hidden folder but `.ci` and `.github`."""
HIDDEN_BUT_KEPT = {".ci", ".github"}
NO_TEXT = {".png", ".ico", ".woff2", ".db", ".db-wal", ".db-shm", ".db-journal", ".lock", ".secret"}
LOCKS = "requirements"
"""The lock files of a server's store are none of ours, those of the requirements are."""


def apart(*pieces: str) -> str:
    """Put together here, so that this file is no hit itself."""
    return "".join(pieces)


TRACES = {
    "a private path": apart("(?<![\\w.])/", "work/|/", "root/|/home/(?!user\\b)\\w+/|/", "Users/\\w+/"),
    "a private folder": apart("(?<![\\w/.-])", "shared", "/(?:design|reference|\\w+\\.(?:md|txt))"),
    "an address of a package index": apart(
        "(?i)py", "pi\\.org|files\\.python", "hosted\\.org|registry\\.npm", "js\\.org|registry\\.yarn", "pkg\\.com"
    ),
    "an option that names a package index": apart("--(?:extra-)?", "index", "-url[ =]|--find", "-links[ =]"),
    "a number of a ticket": apart("(?i)\\b(?:issue|ticket|pull request|PR) ?", "#\\d+|\\bGH-\\d+"),
    "an assistant at work": apart(
        "(?i)\\b(?:cl",
        "aude|anth",
        "ropic|open",
        "ai|chat",
        "gpt|cop",
        "ilot)\\b|\\b(?:sub",
        "agent|language mo",
        "del)s?\\b",
    ),
    "talk among builders": apart(
        "(?i)\\bhelper ses",
        "sions?\\b|\\b(?:my|your|the) br",
        "ief\\b|\\banother buil",
        "der\\b|\\bthe lead (?:com",
        "mits|says)",
    ),
    "a design paper that is not here": apart(
        "\\b(?:protocol|reliability|",
        "performance|ecosystem|architecture|decisions)",
        "\\.md\\b|\\(decided",
        " here\\)|\u00a7",
    ),
}


def kept(root: Path = ROOT) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name in BUILT or (path.name.startswith(".") and path.is_dir() and path.name not in HIDDEN_BUT_KEPT):
            continue
        if path.is_dir():
            yield from kept(path)
        elif not path.name.startswith(".") and (path.suffix not in NO_TEXT or path.name.startswith(LOCKS)):
            yield path


def traces(text: str) -> Iterator[tuple[int, str, str]]:
    for what, pattern in TRACES.items():
        for found in re.finditer(pattern, text):
            yield text.count("\n", 0, found.start()) + 1, what, found.group()


def test_no_file_tells_where_it_was_made() -> None:
    found = []
    for path in kept():
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}: its name is {what}" for _, what, _ in traces(name)]
        text = path.read_text("utf-8", "replace")
        found += [f"{name}:{line}: {what}: {word!r}" for line, what, word in traces(text)]
    assert not found, lines(found)


@pytest.mark.parametrize(
    "text",
    [
        apart("see /", "work/x"),
        apart("in sha", "red/design"),
        apart("https://files.python", "hosted.org/p"),
        apart("pip install --ind", "ex-url https://x"),
        apart("fixes issue ", "#12"),
        apart("as the br", "ief says"),
        apart("protocol", ".md 4.2"),
    ],
)
def test_a_trace_is_found(text: str) -> None:
    assert list(traces(text))


@pytest.mark.parametrize(
    "text", ["network/peers", "shared/objects are shared", "a tested issue", "docs/design.md", "the protocol module"]
)
def test_ordinary_words_pass(text: str) -> None:
    assert list(traces(text)) == []
