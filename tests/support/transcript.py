"""Transcripts of the guide, taken against a real server: every line is done or heard, and nothing else is heard.

`here: ana/v1, bo/tmi`       these sockets are in, and have heard what newcomers and others hear of that
`bo/tmi joins ?dialect=tmi`  it connects; what it hears is written below
`bo/tmi >> type {…}`         it sends this
`bo/tmi << type {…}`         this is the next frame it hears; `…` stands for more members, or for any value
`bo/tmi << nothing`          and until now no other
`bo/tmi << close 1000`       the server closes it
`bo/tmi closes 1000`         it closes;  `is cut` = without a close frame
`bo REST PUT /path {…} = 200`  a request; DIAGRAM and MODEL in a path are those of the transcript, ID is the diagram's
`server restarts`            stopped as an operator stops it, and started
`time passes`                until what is written below happens

A line that begins with a space continues the one above. Words such as `box-1` and `op-1` stand for UUIDs, `User(bo)`
for Bo's User object, TOKEN for the speaker's access token, EPOCH, HASH, SESSION for what the server made. ana owns the
model and hosts the session unless `host: bo` stands above; bo is writer, cy reader, di nobody. `me: bo` says whose
question it is, where somebody else acts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from websockets.exceptions import ConnectionClosed

from tests.support.client import Classic, CodrawV1, Editor, Message, Tmi
from tests.support.servers import Meeting, Person, Server, sign_in
from tests.support.wire import word

KINDS: Mapping[str, type[Editor]] = {"classic": Classic, "tmi": Tmi, "v1": CodrawV1}
WORD = re.compile(r"(?:box|flow|op)-\w+")
LINE = re.compile(
    r"(?P<who>\w+)/(?P<kind>classic|tmi|v1)(?P<second>'*) (?P<does>joins|>>|<<|closes|is cut) ?(?P<rest>.*)"
)
REQUEST = re.compile(r"(\w+) REST (\w+) (\S+)(?: If-Match: (\S+))? ?(\{.*\})? = (\d+)")
MORE = "…"
ROLES = {"bo": "writer", "cy": "reader"}


def lines(text: str) -> list[str]:
    return re.sub(r"\n +", " ", text.strip()).splitlines()


def parsed(text: str) -> Any:
    """JSON in which `…` stands for more members, more items, or any value."""
    for where, value in ((r"(?<=: )…", '"…"'), (r"(?<=\[)…|(?<=, )…(?=\])", '"…"'), (r"(?<!\")…(?!\")", '"…": 0')):
        text = re.sub(where, value, text)
    return json.loads(text or "{}")


def matches(expected: Any, actual: Any) -> bool:
    match expected:
        case "…":
            return True
        case dict():
            if not isinstance(actual, dict):
                return False
            named = {key: value for key, value in expected.items() if key != MORE}
            exact = MORE in expected or named.keys() == actual.keys()
            return exact and all(key in actual and matches(value, actual[key]) for key, value in named.items())
        case list() if isinstance(actual, list):
            if MORE in expected:
                expected = expected[: expected.index(MORE)]
                actual = actual[: len(expected)]
            return len(expected) == len(actual) and all(map(matches, expected, actual))
        case _:
            return bool(expected == actual and type(expected) is type(actual))


def by_itself(frame: Message) -> bool:
    """The heartbeat of every 15 s follows nothing that a transcript says."""
    return word(frame) == "heartbeat" and "ref" not in frame


class Transcript:
    def __init__(self, server: Server, people: dict[str, Person]) -> None:
        self.server = server
        self.people = people
        self.sockets: dict[str, Editor] = {}
        self.host = "ana"
        self.asked = 0
        self.names: dict[str, str] = {}
        self._meeting: Meeting | None = None

    @property
    def meeting(self) -> Meeting:
        assert self._meeting is not None
        return self._meeting

    async def take(self, text: str) -> None:
        try:
            for line in lines(text):
                await self._do(line)
            for name in list(self.sockets):
                await self._quiet(name)
        finally:
            if self._meeting is not None:
                await self._meeting.over()

    async def _do(self, line: str) -> None:
        if line.startswith("host: "):
            self.host = line.removeprefix("host: ")
            return
        if line.startswith("me: "):
            return
        if self._meeting is None:
            await self._meet()
        if line.startswith("here: "):
            await self._gather(line.removeprefix("here: ").split(", "))
        elif line == "server restarts":
            assert self.server.stop() == 0
            self.server.start()
        elif line == "time passes":
            return
        elif found := REQUEST.fullmatch(line):
            await self._ask(*found.groups())
        else:
            found = LINE.fullmatch(line)
            assert found, f"no line of a transcript: {line}"
            await self._say(f"{found['who']}/{found['kind']}{found['second']}", found["does"], found["rest"])

    async def _say(self, name: str, does: str, rest: str) -> None:
        match does:
            case "joins":
                query = dict(part.split("=", 1) for part in self._in(rest).removeprefix("?").split("&") if part)
                await self._enter(name, query)
            case "closes":
                await self.sockets.pop(name).leave(int(rest or 1000))
            case "is cut":
                self.sockets.pop(name).cut()
            case ">>":
                kind, _, members = rest.partition(" ")
                members = self._in(members).replace("TOKEN", self.sockets[name].person.token)
                await self.sockets[name].say({"message_type": kind, **json.loads(members or "{}")})
            case "<<":
                await self._hears(name, rest)

    async def _hears(self, name: str, rest: str) -> None:
        kind, _, members = rest.partition(" ")
        if kind == "nothing":
            return await self._quiet(name)
        if kind == "close":
            code, last = await self.sockets.pop(name).closed()
            before = [frame for frame in last if not by_itself(frame)]
            assert (code, before) == (int(members), []), f"{name} was closed with {code} after {before}"
            return
        heard = await self._next(name)
        assert word(heard) == kind, f"{name} should hear {rest} and heard {self._told(heard)}"
        told = self._told({key: value for key, value in heard.items() if key not in ("message_type", "event")})
        assert matches(parsed(members), told), f"{name} should hear {rest} and heard {json.dumps(told)}"

    async def _next(self, name: str) -> Message:
        socket = self.sockets[name]
        try:
            while by_itself(heard := await socket.hear()):
                pass
        except ConnectionClosed as closed:
            raise AssertionError(f"{name} was closed: {closed}") from None
        for member, stands in (("epoch", "EPOCH"), ("state_hash", "HASH"), ("session_id", "SESSION")):
            if isinstance(value := heard.get(member), str):
                self.names[value] = stands
        return heard

    async def _quiet(self, name: str) -> None:
        heard = await self._heard_until_now(name)
        assert heard == [], f"{name} should hear nothing and heard {self._told(heard)}"

    async def _heard_until_now(self, name: str) -> list[Message]:
        """What came before the answer to a request that is answered at once."""
        socket, v1, self.asked = self.sockets[name], name.rstrip("'").endswith("v1"), self.asked + 1
        ref = f"quiet {self.asked}"
        await socket.say({"message_type": "heartbeat", "ref": ref} if v1 else {"message_type": "sync_status_request"})
        heard: list[Message] = []
        while True:
            message = await self._next(name)
            if (message.get("ref") == ref) if v1 else (word(message) == "sync_status_response"):
                return heard
            heard.append(message)

    async def _enter(self, name: str, query: Mapping[str, str]) -> Editor:
        who, _, kind = name.rstrip("'").partition("/")
        self.sockets[name] = await KINDS[kind](self.meeting, await self._person(who)).connect(**query)
        return self.sockets[name]

    async def _gather(self, names: list[str]) -> None:
        for name in names:
            await (await self._enter(name, {})).hear("current_presenter", "participants_update", "participants")
        for name in names:
            await self._heard_until_now(name)

    async def _ask(self, who: str, method: str, path: str, match: str | None, body: str | None, status: str) -> None:
        person = await self._person(who)
        path = self._in(path).replace("DIAGRAM", self.meeting.path)
        path = path.replace("MODEL", f"/threat_models/{self.meeting.threat_model}")
        path = path.replace("/ID/", f"/{self.meeting.diagram}/")
        headers = {"If-Match": match} if match else {}
        answer = await person.ask(method, path, json.loads(self._in(body)) if body else None, **headers)
        assert answer.status_code == int(status), f"{method} {path}: {answer.status_code} {answer.text}"
        if path.endswith("/logout"):
            del self.people[who]

    async def _person(self, name: str) -> Person:
        if name not in self.people:
            self.people[name] = await sign_in(self.server, name)
        return self.people[name]

    async def _meet(self) -> None:
        owner, host = await self._person("ana"), await self._person(self.host)
        entries = [
            {"principal_type": "user", "provider": "test", "provider_id": n, "role": r} for n, r in ROLES.items()
        ]
        model = await owner.post("/threat_models", {"name": "model", "authorization": entries})
        cells = [json.loads(self._in(text)) for text in CELLS]
        path = f"/threat_models/{model['id']}/diagrams"
        diagram = await owner.post(path, {"name": "diagram", "type": "DFD-1.0.0", "cells": cells})
        self._meeting = Meeting(host, model["id"], diagram["id"], "")
        self.meeting.session = (await host.post(f"{self.meeting.path}/collaborate"))["session_id"]
        self.names |= {self.meeting.session: "SESSION", diagram["id"]: "DIAGRAM", model["id"]: "MODEL"}

    def _in(self, text: str) -> str:
        """With UUIDs for the words, and what the server made for its names."""
        for value, stands in self.names.items():
            if stands.isupper() and stands in ("EPOCH", "HASH", "SESSION"):
                text = text.replace(stands, value)
        return WORD.sub(self._uuid, text)

    def _uuid(self, found: re.Match[str]) -> str:
        id = str(uuid5(NAMESPACE_URL, found.group()))
        self.names[id] = found.group()
        return id

    def _told(self, value: Any) -> Any:
        """As the guide spells it."""
        if isinstance(value, dict):
            if value.get("principal_type") == "user":
                return f"User({value['provider_id']})"
            return {self.names.get(key, key): self._told(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._told(part) for part in value]
        return self.names.get(value, value) if isinstance(value, str) else value


CELLS = (
    '{"id": "box-1", "shape": "process", "x": 0, "y": 0, "width": 100, "height": 60}',
    '{"id": "box-2", "shape": "store", "x": 300, "y": 0, "width": 100, "height": 60}',
)
"""What every transcript begins with, at vector 0."""
