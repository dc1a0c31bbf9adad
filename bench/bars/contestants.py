"""Who is measured: the C floor, codraw with SQLite, and the peers; each with its server and what its editors do."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from bench.bars.codraw_rooms import SETTINGS, People, Room, plan
from bench.bars.programs import ROOT, Failed, Process, started
from bench.peers import Load, Peer

FLOOR, PLAIN, CODRAW = "C floor", "C, a send() a delivery", "codraw"
PAD = "x" * 240
FLOOR_OPERATION = '{"op":"update","id":"%U","sender":%S,"x":%N,"stamp":"%T","pad":"' + PAD + '"}'


class Contestant(Protocol):
    """`start` raises Failed; so does `check`, where what came out of a run is not what was put in."""

    name: str

    @property
    def process(self) -> Process: ...
    def start(self, folder: Path) -> None: ...
    def plan(self, load: Load) -> str: ...
    def check(self, result: Mapping[str, Any]) -> None: ...
    def stop(self) -> None: ...


class Served:
    """What all have in common: one process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def check(self, result: Mapping[str, Any]) -> None:
        """Nothing was refused, and everybody heard of everything."""
        if result["errors"] or result["lost"]:
            raise Failed(f"{result['errors']} errors, {result['lost']} lost: {result['first_errors']}")
        if result["missing"]:
            raise Failed(f"{result['missing']} of {result['expected_total']} deliveries did not come")


class Floor(Served):
    """`mode`: joined or plain."""

    def __init__(self, name: str, program: Path, mode: str) -> None:
        super().__init__(name)
        self._program, self._mode = program, mode

    def start(self, folder: Path) -> None:
        command = str(self._program)
        self._process = started(lambda port: (command, str(port), self._mode), folder / f"{self._mode}.log", {})

    def plan(self, load: Load) -> str:
        pace = f"rate {load.rate}" if load.rate else f"window {load.window} delivered"
        lines = [
            f"port {load.port}",
            *(f"server {pid}" for pid in load.pids),
            f"warm {load.warm}",
            f"seconds {load.seconds}",
            f"sample {load.sample}",
            "delivery text 200",
            "receipt text 3",
            f"payload update text {FLOOR_OPERATION}",
        ]
        for room in range(load.rooms):
            path = f"connection /{time.monotonic_ns()}"
            lines += [path, f"copies {load.senders}", f"room {room}", "sends update", pace]
            if load.editors > load.senders:
                lines += [path, f"copies {load.editors - load.senders}", f"room {room}"]
        return "\n".join(lines) + "\n"


class Codraw(Served):
    """The program itself, as it is served on one machine, with sign-in by the test provider."""

    def __init__(self) -> None:
        super().__init__(CODRAW)
        self._people: People | None = None
        self._rooms: list[Room] = []

    @property
    def people(self) -> People:
        assert self._people is not None
        return self._people

    def start(self, folder: Path) -> None:
        environment = {**SETTINGS, "PYTHONPATH": str(ROOT), "CODRAW_STORE_URL": f"sqlite:///{folder}/codraw.db"}
        self._process = started(serve, folder / "codraw.log", environment)
        self._people = People(self._process.port)

    def plan(self, load: Load) -> str:
        self._rooms = [self.people.open_room(load.senders) for _ in range(load.rooms)]
        return plan(load, self._rooms, self.people.token)

    def check(self, result: Mapping[str, Any]) -> None:
        """And every operation has a receipt and is in the diagrams: so many changed them, none twice."""
        super().check(result)
        sent = result["sent_total"]
        if result["receipts_total"] != sent:
            raise Failed(f"{result['receipts_total']} receipts for {sent} operations")
        vectors = sum(self.people.vector(room) for room in self._rooms)
        if vectors != sent:
            raise Failed(f"the diagrams stand at {vectors}, {sent} operations were sent")
        for room in self._rooms:
            self.people.end(room)

    def stop(self) -> None:
        if self._people is not None:
            self._people.close()
        super().stop()


def serve(port: int) -> tuple[str, ...]:
    return sys.executable, "-m", "codraw", "serve", "--dev", "--port", str(port)


class OfPeer(Served):
    """A server of another project."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer.name)
        self._peer = peer

    def start(self, folder: Path) -> None:
        log = folder / f"{self._peer.driver}.log"
        self._process = started(self._peer.argv, log, self._peer.environment)

    def plan(self, load: Load) -> str:
        return self._peer.plan(load)
