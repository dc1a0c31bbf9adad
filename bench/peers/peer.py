"""The list of peers: what is installed for each, how it is started, and how editors talk to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers import plans
from bench.peers.load import Load

HERE = Path(__file__).parent
VENV = HERE / ".venv"
NODE: Mapping[str, str] = {"NODE_ENV": "production"}


@dataclass(frozen=True, slots=True)
class Peer:
    """A server of another project.

    `package` is its name in package.json or requirements.in. `plan` gives the text for bench/generator.c; it may write
    files of frames beside itself. Where a server sends operations back to their senders too, those count as deliveries.
    """

    name: str
    package: str
    driver: str
    plan: Callable[[Load], str]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_python(self) -> bool:
        return self.driver.endswith(".py")

    @property
    def version(self) -> str:
        """As pinned: nothing else installs."""
        if self.in_python:
            pinned = (HERE / "requirements.in").read_text("utf-8").split()
            return dict(pin.split("==") for pin in pinned)[self.package]
        version: str = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"][self.package]
        return version

    def argv(self, port: int) -> tuple[str, ...]:
        """Starts it on 127.0.0.1; it prints `listening` when it takes connections."""
        program = str(VENV / "bin/python") if self.in_python else shutil.which("node") or "node"
        return program, str(HERE / self.driver), str(port)


PEERS: tuple[Peer, ...] = (
    Peer("y-websocket", "@y/websocket-server", "yjs.mjs", plans.yjs, environment=NODE),
    Peer("Hocuspocus", "@hocuspocus/server", "hocuspocus.mjs", plans.hocuspocus, environment=NODE),
    Peer("ShareDB", "sharedb", "sharedb.mjs", plans.sharedb, environment=NODE),
    Peer("tldraw sync", "@tldraw/sync-core", "tldraw.mjs", plans.tldraw, environment=NODE),
    Peer("Socket.IO", "socket.io", "socketio.mjs", plans.socketio, environment=NODE),
    Peer("pycrdt-websocket", "pycrdt-websocket", "pycrdt_server.py", plans.pycrdt),
)
