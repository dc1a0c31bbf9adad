"""What docs/websocket.md says, done: its transcripts on a real server; its tables as asyncapi.yml and they have it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import cache
from itertools import groupby

import pytest

from tests.support.asyncapi import DOCUMENT
from tests.support.servers import Person, Server
from tests.support.transcript import LINE, REQUEST, Transcript, lines
from tests.support.tree import ROOT

GUIDE = (ROOT / "docs/websocket.md").read_text("utf-8")
HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
TRANSCRIPT = re.compile(r"^```wire ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """Heading -> what stands below it."""
    parts = HEADING.split(GUIDE)
    return dict(zip(parts[1::2], (re.split(r"^## ", text, flags=re.MULTILINE)[0] for text in parts[2::2]), strict=True))


TRANSCRIPTS = [
    pytest.param(settings, text, id=f"{heading}-{n}")
    for heading, section in sections().items()
    for n, (settings, text) in enumerate(TRANSCRIPT.findall(section))
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Transcript]]:
    """A transcript yet to be taken, on the server that has these settings."""
    with ExitStack() as stack:

        @cache
        def running(settings: str) -> tuple[Server, dict[str, Person]]:
            chosen = dict(pair.lower().removeprefix("codraw_").split("=") for pair in settings.split())
            return stack.enter_context(Server(tmp_path_factory.mktemp("guide"), **chosen)), {}

        yield lambda settings: Transcript(*running(settings))


@pytest.mark.parametrize(("settings", "text"), TRANSCRIPTS)
async def test_every_transcript_is_true(settings: str, text: str, stage: Callable[[str], Transcript]) -> None:
    transcript = stage(settings)
    if "SECONDS" in settings:
        # nobody's token is older than the transcript
        transcript.people.clear()
    await transcript.take(text)


@pytest.mark.parametrize(
    "text",
    [
        'here: bo/v1\nbo/v1 >> heartbeat {"ref": "h"}\nbo/v1 << nothing',
        "here: bo/v1\nbo/v1 << nothing\nbo/v1 << close 1000",
        'here: bo/tmi, bo/v1\nbo/tmi >> sync_request\nbo/tmi << diagram_state {"update_vector": 7, …}',
        'here: bo/tmi, bo/v1\nbo/tmi >> sync_request\nbo/tmi << diagram_state {"update_vector": 0}',
        "here: bo/tmi, bo/v1\nbo/tmi >> sync_request",
        "here: bo/tmi\nbo REST GET DIAGRAM = 404",
        "bo/tmi shouts",
    ],
    ids=["more", "no close", "a value", "a member too many", "unsaid", "a status", "no line"],
)
async def test_an_untrue_transcript_is_found(
    text: str, stage: Callable[[str], Transcript], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.client.PATIENCE_S", 0.3)
    with pytest.raises((AssertionError, TimeoutError)):
        await stage("").take(text)


# The tables -----------------------------------------------------------------------------------------------------------

DIALECTS = {"classic": "classic", "tmi": "tmi", "v1": "codraw.v1"}
ROWS = ("me", "my other sockets", "the host", "whoever is named", "others", "everybody")
OF_NOBODY = ("server restarts", "time passes")
Told = dict[str, dict[str, str]]
"""Who -> dialect -> the frames, and the close."""


def told(transcripts: Iterable[str]) -> Told:
    """What follows the last action of each transcript: to whom, in which dialect."""
    rows: Told = {}
    for text in transcripts:
        for (row, dialect), frames in after_the_last_action(lines(text)).items():
            said = rows.setdefault(row, {}).setdefault(dialect, frames)
            assert said == frames, f"{row}, {dialect}: {said} here, {frames} there"
    if rows.get("the host", {}).items() <= rows.get("others", {}).items():
        rows.pop("the host", None)
    return {row: rows[row] for row in ROWS if row in rows}


def after_the_last_action(script: list[str]) -> dict[tuple[str, str], str]:
    acts = [n for n, line in enumerate(script) if is_action(line)]
    action = script[acts[-1]]
    heard: dict[str, list[str]] = {}
    for line in script[: acts[-1] + 1]:
        if line.startswith("here: "):
            heard |= {name: [] for name in line.removeprefix("here: ").split(", ")}
        elif found := LINE.fullmatch(line):
            name = f"{found['who']}/{found['kind']}{found['second']}"
            if found["does"] == "joins":
                heard[name] = []
            elif found["does"] in ("closes", "is cut") or found["rest"].startswith("close "):
                heard.pop(name, None)
    for line in script[acts[-1] + 1 :]:
        found = LINE.fullmatch(line)
        assert found, line
        if found["rest"] != "nothing":
            heard[f"{found['who']}/{found['kind']}{found['second']}"].append(spelled(found["rest"]))
    hosts = [line.removeprefix("host: ") for line in script if line.startswith("host: ")] or ["ana"]
    mine = [line.removeprefix("me: ") for line in script if line.startswith("me: ")]
    by: dict[tuple[str, str], set[str]] = {}
    for name, frames in heard.items():
        key = row_of(name, action, hosts[0], *mine), DIALECTS[name.rstrip("'").partition("/")[2]]
        by.setdefault(key, set()).add(", ".join(frame for frame, _ in groupby(frames)) or "nothing")
    return {key: " or ".join(sorted(frames)) for key, frames in by.items()}


def is_action(line: str) -> bool:
    found = LINE.fullmatch(line)
    return line in OF_NOBODY or bool(REQUEST.fullmatch(line)) or bool(found and found["does"] != "<<")


def row_of(name: str, action: str, host: str, me: str | None = None) -> str:
    """`me` where the question is asked by somebody else than who acts."""
    who = name.partition("/")[0]
    actor = re.split("[/ ]", action)[0]
    if action in OF_NOBODY:
        return "everybody"
    if me is not None:
        return "me" if who == me else "the host" if who == host else "others"
    if action.startswith(f"{name} "):
        return "me"
    if who == actor:
        return "my other sockets"
    if re.search(rf'"{who}(?:@tmi\.local)?"', action):
        return "whoever is named"
    return "the host" if who == host else "others"


def spelled(rest: str) -> str:
    """A frame by its name and the word it carries, a close by its code."""
    kind, _, members = rest.partition(" ")
    if kind == "close":
        return rest
    word = re.search(r'"(?:error|reason|action)": "(\w+)"|"host_state": "(away)"', members)
    if kind == "history_operation":
        word = re.search(r'"message": "(\w+)"', members)
    shown = word and (kind, word[1]) != ("authorization_denied", "insufficient_permissions")
    return f"`{kind}` {word[1] or word[2]}" if word and shown else f"`{kind}`"


def table(rows: Told) -> str:
    """As the guide shows it."""
    dialects = list(DIALECTS.values())
    out = [f"| told | {' | '.join(dialects)} |", "|---|---|---|---|"]
    out += [f"| {row} | {' | '.join(by.get(d, '–') for d in dialects)} |" for row, by in rows.items()]
    return "\n".join(out)


MOMENTS: Mapping[str, dict[str, object]] = {moment["when"]: moment for moment in DOCUMENT["x-moments"]}


def test_the_guide_and_the_document_have_the_same_moments() -> None:
    assert list(MOMENTS) == list(sections())


@pytest.mark.parametrize("heading", sections())
def test_every_table_says_what_its_transcripts_show(heading: str) -> None:
    section = sections()[heading]
    rows = told(text for _, text in TRANSCRIPT.findall(section))
    assert table(rows) in section
    assert MOMENTS[heading]["told"] == rows
    assert str(MOMENTS[heading]["then"]) in re.sub(r"\s+", " ", section)


def test_what_has_no_transcript_is_the_same_in_both() -> None:
    listed = re.sub(r"\s+", " ", GUIDE.partition("## What has no transcript")[2])
    rows = [f"**{row['when']}.** {row['told']}" for row in DOCUMENT["x-other-moments"]]
    assert listed.strip().removeprefix("* ") == " * ".join(rows)


def test_the_close_codes_are_those_of_the_document() -> None:
    rows = [f"| {code} | {row['meaning']} | {row['return']} |" for code, row in DOCUMENT["x-close-codes"].items()]
    assert "\n".join(rows) in GUIDE


def test_every_question_stands_in_the_contents() -> None:
    contents = GUIDE.partition("## Questions")[2].partition("\n## ")[0]
    assert re.findall(r"\[(.+?)\]\(#", contents)[: len(sections())] == list(sections())
