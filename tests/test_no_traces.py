"""No file of the project tells where or how it was made: no private path, no package index, no talk of its builders."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tree import ROOT, lines

BUILT = {".git", ".venv", "node_modules", "vendor", "__pycache__", "dist", "build", "_data", "coverage"}
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

NUMBERED = re.compile(
    r"(?:^|\s)\((?:[A-Z]{1,3}\d+,\s)*\d{1,2}\.\d{1,2}(?:,\s[\w ]+)*\)"
    r"|(?<!RFC \d{4}\s)\b(?:[Rr]ules?|[Ss]ections?|[Tt]ables?)\s(?:of\s|table\s)?\d|\b[Cc]hecks?\s\d+\sto\b"
    r"|\b(?:protocol|reliability|performance|ecosystem|architecture|decisions)\s\d+\.\d"
    r"|\bsee\s\d+\.\d",
    re.MULTILINE,
)
"""A section of a paper that is not here, by its number; those of an RFC and of `SPEC.md` are there for everybody."""
QUOTES = ("LICENSE", "requirements", "tests/data/")
"""What speaks of the sections of papers of its own."""


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


def prose(source: str) -> str:
    """Comments and docstrings of a module, each on its own line; the lines of code are empty."""
    said = [""] * (source.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            said[token.start[0]] = token.string
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as text):
                said[text.lineno : text.lineno + text.value.count("\n") + 1] = text.value.split("\n")
    return "\n".join(said[1:])


def citations(text: str, suffix: str) -> Iterator[tuple[int, str]]:
    if NUMBERED.search(text):
        said = prose(text) if suffix == ".py" else text
        for found in NUMBERED.finditer(said):
            yield said.count("\n", 0, found.end()) + 1, found.group().strip()


def test_no_file_tells_where_it_was_made() -> None:
    found = []
    for path in kept():
        name = path.relative_to(ROOT).as_posix()
        found += [f"{name}: its name is {what}" for _, what, _ in traces(name)]
        text = path.read_text("utf-8", "replace")
        found += [f"{name}:{line}: {what}: {word!r}" for line, what, word in traces(text)]
    assert not found, lines(found)


def test_no_comment_cites_a_section_of_a_paper_that_is_not_here() -> None:
    found = []
    for path in kept():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(QUOTES):
            text = path.read_text("utf-8", "replace")
            found += [f"{name}:{line}: {word!r}" for line, word in citations(text, path.suffix)]
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


@pytest.mark.parametrize(
    "text",
    [
        '"""Both spellings (8.2)."""',
        '"""Verified at both edges (8.1, AU1)."""',
        '"""Who stays (AU17, 8.2)."""',
        '"""Sizes (rules 3.1, 3.4)."""',
        '"""Who hosts: the tables of\nsection 6."""',
        "# Section 1 has it",
        "# Checks 6 to 8",
        "wait()  # as reliability 2.10 has it",
        'limit = 5\n"""By rule table 3.1."""',
    ],
)
def test_a_citation_is_found(text: str) -> None:
    assert list(citations(text, ".py"))


@pytest.mark.parametrize(
    "text",
    [
        'pause(0.25) if after in (0.5) else "section 3"',
        '"""`MergePatch` of RFC 7386 section 2."""',
        '"""At most 123 bytes (RFC 6455, 5.5)."""',
        "# OAuth 2.0, Python 3.11, (3, 11), (AU16), rule OP12",
        "# Laws: (1) one at a time; (2) all or nothing",
    ],
)
def test_code_and_what_everybody_can_read_pass(text: str) -> None:
    assert list(citations(text, ".py")) == []
