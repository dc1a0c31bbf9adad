"""codraw's own side of a load: people who sign in, diagrams with a session, and the plan of editors of codraw.v1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import httpx2
import msgspec

from bench.bars.programs import Failed
from bench.peers.load import Load
from tests.support.client import add, cell_id

LISTENERS_OF_ONE = 100
"""So many sockets of one person who only listens; every sender is somebody else. Each join tells everybody who all is
there: with a person to each socket a room of a thousand would take minutes to fill, which is not what is measured."""
SETTINGS = {
    "CODRAW_OPERATIONS_PER_SECOND": "0",
    "CODRAW_MAX_SOCKETS_PER_SESSION": "10000",
    "CODRAW_MAX_SOCKETS_PER_USER": str(LISTENERS_OF_ONE),
    "CODRAW_LOG_LEVEL": "warning",
    "CODRAW_SECRET_KEY": "of this bench alone, of this bench alone",
}
"""What stands in the way of load, and nothing that makes the server do less."""
LARGE_ROOM = ("at_once 4", "patience 180")
"""It fills slowly, see above."""
OTHER_CELLS = 90
ASKED = {
    "message_type": "operation",
    "operation_id": "%U",
    "operation": {
        "type": "patch",
        "cells": [
            {
                "id": "%1",
                "operation": "update",
                "data": {"x": "%N", "data": {"stamp": "%T", "description": "x" * 180}},
            }
        ],
    },
}
OPERATION = msgspec.json.encode(ASKED).decode().replace('"%N"', "%N")
"""About 400 bytes. Its x and its stamp are new each time, so that every one of them changes the diagram."""


class Room(msgspec.Struct, frozen=True):
    """`path`: of the diagram, for REST, and with `/ws` for sockets."""

    path: str
    nodes: Sequence[str]


class Seat(NamedTuple):
    """`group`: those with the same are counted together."""

    port: int
    group: int


class People:
    """Those who are signed in at a server, and the diagrams they made there."""

    def __init__(self, port: int) -> None:
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=30)
        self._tokens: list[str] = []
        self._diagrams = ""

    def close(self) -> None:
        self._http.close()

    def token(self, number: int) -> str:
        """Of the person with this number, who is signed in at first need."""
        while len(self._tokens) <= number:
            query = {"idp": "test", "login_hint": f"person{len(self._tokens)}"}
            self._tokens.append(self._good(self._sent("GET", "/oauth2/authorize", params=query))["access_token"])
        return self._tokens[number]

    def _sent(self, method: str, path: str, **more: Any) -> httpx2.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx2.HTTPError as error:
            raise Failed(f"{path}: {str(error) or type(error).__name__}") from error

    def _good(self, answer: httpx2.Response) -> Any:
        if answer.status_code not in (200, 201):
            raise Failed(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token(0)}"}
        return self._good(self._sent(method, path, json=body, headers=headers))

    def open_room(self, nodes: int) -> Room:
        """A diagram with so many cells for senders, and others, and a session on it."""
        if not self._diagrams:
            everyone = {"subject": "everyone", "subject_type": "group", "role": "writer"}
            model = self._ask("POST", "/threat_models", {"name": "bench", "authorization": [everyone]})
            self._diagrams = f"/threat_models/{model['id']}/diagrams"
        cells = [{"id": cell_id(), **add("", x=200 * n)["data"]} for n in range(nodes + OTHER_CELLS)]
        made = self._ask("POST", self._diagrams, {"name": "bench", "type": "DFD-1.0.0", "cells": cells})
        path = f"{self._diagrams}/{made['id']}"
        self._ask("POST", f"{path}/collaborate")
        return Room(path, [cell["id"] for cell in cells[:nodes]])

    def vector(self, room: Room) -> int:
        return int(self._ask("GET", room.path)["update_vector"])

    def end(self, room: Room) -> None:
        headers = {"Authorization": f"Bearer {self.token(0)}"}
        self._sent("DELETE", f"{room.path}/collaborate", headers=headers)


def plan(load: Load, rooms: Sequence[Room], token: Callable[[int], str], seats: Sequence[Seat] = ()) -> str:
    """For generator.c. `seats`: one for every editor of a room that is split between workers, senders first."""
    lines = [
        f"port {load.port}",
        *(f"server {pid}" for pid in load.pids),
        f"warm {load.warm}",
        f"seconds {load.seconds}",
        f"sample {load.sample}",
        *(LARGE_ROOM if load.editors > 500 else ()),
        'delivery text 200 contains "message_type":"event"',
        'receipt text 20 contains "message_type":"operation_accepted"',
        'fail "message_type":"operation_rejected"',
        'fail "message_type":"error"',
        f"payload update text {OPERATION}",
    ]
    for number, room in enumerate(rooms):
        for place in range(load.editors):
            lines += editor(load, room, number, place, token(person(load, place)))
            if seats:
                lines += [f"port {seats[place].port}", f"group {seats[place].group}"]
    return "\n".join(lines) + "\n"


def person(load: Load, place: int) -> int:
    """The number of who sits there."""
    return place if place < load.senders else load.senders + (place - load.senders) // LISTENERS_OF_ONE


def editor(load: Load, room: Room, number: int, place: int, token: str) -> Iterator[str]:
    yield f"connection {room.path}/ws"
    yield f"room {number}"
    yield f"header Authorization: Bearer {token}"
    yield "header Sec-WebSocket-Protocol: codraw.v1.json"
    yield 'wait contains "message_type":"state"'
    if place < load.senders:
        yield f"set 1 {room.nodes[place]}"
        yield "sends update"
        pace = "delivered" if load.editors > 1 else "receipt"
        yield f"rate {load.rate}" if load.rate else f"window {load.window} {pace}"
