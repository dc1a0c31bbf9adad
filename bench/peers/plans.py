"""How editors speak to each peer: plans for bench/generator.c, one operation of about 400 bytes a message.

Every operation changes the document: each sender has a cell, a shape or keys of its own and gives them a new value each
time. Rooms have fresh names in every run, since a server keeps its documents and takes a recorded frame only once.
"""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.load import Load

MADE = Path(__file__).parent / ".made"
SENDERS = 10
"""So many files of recorded frames there are, and shapes in a room of tldraw's."""
FRAMES = 20_000
"""In each file: in one room 40 000 operations a second for five seconds."""
PREFIXED = 100_000
"""Frames made for one run of Hocuspocus, all rooms together."""
DRAIN_S = 30
"""A run ends as soon as everything has come; what is under way in a room of a thousand takes a slow peer seconds."""

STEP_1 = r"\x00\x00\x01\x00"
STEP_2 = r"\x00\x01\x02\x00\x00"
"""y-protocols, between two empty documents: `I have nothing, what have you?` and `nothing`."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """`globals` are lines of the whole run; the rest gives lines or names for a room, or for a sender in it."""

    globals: Sequence[str]
    path: Callable[[str], str]
    greeting: Callable[[str], Sequence[str]]
    payload: Callable[[str, int], str]


def yjs(load: Load) -> str:
    """A socket a room, named by the path."""
    recordings = [f"payload s{sender} frames-binary {MADE}/{sender}.frames" for sender in range(load.senders)]
    dialogue = Dialogue(
        globals=("echo yes", "delivery binary 300", *recordings),
        path="/{}".format,
        greeting=lambda _: (f"send binary {STEP_1}", "wait frames 2", f"send binary {STEP_2}"),
        payload=lambda _, sender: f"s{sender}",
    )
    return _plan(load, _rooms(load), dialogue)


def pycrdt(load: Load) -> str:
    """One after the other: of two who open a room at the same time its server loses one."""
    return "at_once 1\n" + yjs(load)


def hocuspocus(load: Load) -> str:
    """Each message begins with the name of its document, the first one asks to be let in."""
    rooms = _rooms(load)
    enough = PREFIXED // (load.rooms * load.senders)
    recordings = [
        f"payload {room}-{sender} frames-binary {_prefixed(room, index, sender, enough)}"
        for index, room in enumerate(rooms)
        for sender in range(load.senders)
    ]

    def greeting(room: str) -> Sequence[str]:
        name = rf"\x{len(room):02x}{room}"
        return (
            rf"send binary {name}\x02\x00\x05token",
            "wait contains read-write",
            f"send binary {name}{STEP_1}",
            "wait frames 2",
            f"send binary {name}{STEP_2}",
            "wait frames 1",
        )

    dialogue = Dialogue(
        globals=("echo yes", "delivery binary 300", "receipt binary 0", *recordings),
        path=lambda _: "/",
        greeting=greeting,
        payload=lambda room, sender: f"{room}-{sender}",
    )
    return _plan(load, rooms, dialogue)


def sharedb(load: Load) -> str:
    """json0; an operation without a version is taken as of the newest, which spares the server the transforms."""
    operation = '{"a":"op","c":"diagrams","d":"%2","v":null,"seq":%M,"x":{},"op":[{"p":["cell-%1"],"oi":%VALUE}]}'
    value = '{"x":%N,"y":%1,"t":"%T","label":"' + "x" * 260 + '"}'
    dialogue = Dialogue(
        globals=(
            'delivery text 300 contains "op":[',
            'receipt text 0 contains "a":"op"',
            'fail "error"',
            "payload op text " + operation.replace("%VALUE", value),
        ),
        path="/{}".format,
        greeting=lambda room: (
            'send text {"a":"hs","id":null,"protocol":1,"protocolMinor":2}',
            'wait contains "a":"hs"',
            f'send text {{"a":"s","c":"diagrams","d":"{room}"}}',
            'wait contains "a":"s"',
        ),
        payload=lambda *_: "op",
    )
    return _plan(load, _rooms(load), dialogue)


def tldraw(load: Load) -> str:
    """An editor gets at most one frame in a sixtieth of a second, so operations are counted, not frames."""
    patch = '{"x":["put",%M],"meta":["patch",{"text":["put","%T %N ' + "x" * 270 + '"]}]}'
    push = '{"type":"push","clientClock":%M,"diff":{"shape:s%1":["patch",%PATCH]}}'
    dialogue = Dialogue(
        globals=(
            "delivery text 0 count ~T",
            'receipt text 0 count "push_result"',
            "fail rebaseWithDiff",
            "payload push text " + push.replace("%PATCH", patch),
        ),
        path="/{}".format,
        greeting=lambda _: (
            f"send-file text {MADE}/connect.json",
            'wait contains "type":"connect"',
            'every 5 {"type":"ping"}',
        ),
        payload=lambda *_: "push",
    )
    return _plan(load, _rooms(load), dialogue)


def socketio(load: Load) -> str:
    """Engine.IO 4 over WebSocket at once, without the round of long polling."""
    cell = {"op": "update", "id": "cell-%1", "x": "%N", "t": "%T", "label": "x" * 300}
    dialogue = Dialogue(
        globals=('delivery text 300 contains 42["op"', f'payload op text 42["op",{json.dumps(cell)}]'),
        path=lambda _: "/socket.io/?EIO=4&transport=websocket",
        greeting=lambda room: (
            'wait contains 0{"sid"',
            "send text 40",
            'wait contains 40{"sid"',
            f'send text 42["join","{room}"]',
            'wait contains 42["joined"',
            "auto equals 2 send 3",
        ),
        payload=lambda *_: "op",
    )
    return _plan(load, _rooms(load), dialogue)


def _rooms(load: Load) -> Sequence[str]:
    if load.senders > SENDERS:
        raise ValueError(f"at most {SENDERS} senders in a room, not {load.senders}")
    run = secrets.token_hex(4)
    return [f"{run}-{index}" for index in range(load.rooms)]


def _plan(load: Load, rooms: Sequence[str], dialogue: Dialogue) -> str:
    run = (f"port {load.port}", *(f"server {pid}" for pid in load.pids), f"warm {load.warm}", f"seconds {load.seconds}")
    lines = [*run, f"sample {load.sample}", f"drain {DRAIN_S}", *dialogue.globals]
    for room in rooms:
        lines += _editors(load, room, dialogue)
    return "\n".join(lines) + "\n"


def _editors(load: Load, room: str, dialogue: Dialogue) -> Iterator[str]:
    pace = f"rate {load.rate}" if load.rate else f"window {load.window} delivered"
    editor = (f"room {room}", *dialogue.greeting(room))
    for sender in range(load.senders):
        yield from (f"connection {dialogue.path(room)}", *editor)
        yield from (f"set 1 {sender}", f"set 2 {room}", f"sends {dialogue.payload(room, sender)}", pace)
    if load.editors > load.senders:
        yield from (f"connection {dialogue.path(room)}", f"copies {load.editors - load.senders}", *editor)


def _prefixed(room: str, index: int, sender: int, count: int) -> Path:
    """The recorded frames of a sender with the room's name before each; written over in the next run."""
    prefix = bytes([len(room)]) + room.encode()
    made = MADE / f"named-{index}-{sender}.frames"
    with made.open("wb") as file:
        for frame in _frames(MADE / f"{sender}.frames", count):
            file.write(struct.pack(">I", len(prefix) + len(frame)) + prefix + frame)
    return made


def _frames(path: Path, count: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        for _ in range(count):
            header = file.read(4)
            if not header:
                return
            yield file.read(int.from_bytes(header))
