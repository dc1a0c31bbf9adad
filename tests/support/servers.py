"""The program itself in a process of its own, on a free loopback port with a store of its own; never left behind."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection

from codraw.local_stores import free_port
from tests.support.copies import Copy
from tests.support.tree import ROOT

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 30.0
LAUNCH = """
import ctypes, signal, sys
if sys.platform == "linux":  # a test run that is killed takes its servers along: PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from codraw.cli import main
main()
"""

Process = subprocess.Popen[bytes] | Copy


class Server:
    """`folder` holds its store, which outlives every start, and `server.log`, which all starts append to."""

    before = ""
    """Python that runs first, for a server that is not quite as it is delivered."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = settings
        self._process: Process | None = None

    @property
    def store(self) -> Path:
        return self.folder / "codraw.db"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text("utf-8", "replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Returns when it answers."""
        self._process = self.launched()
        self._await_health(self._process)
        return self

    def launched(self) -> Process:
        arguments = ["serve", "--dev", "--port", str(self.port)]
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CODRAW_STORE_URL": f"sqlite:///{self.store}",
            **{f"CODRAW_{name.upper()}": value for name, value in self._settings.items()},
        }
        written = self.folder / "server.log"
        if not self.before and "workers" not in self._settings:
            return Copy(arguments, self.folder, environment, written)
        command = [sys.executable, "-c", self.before + LAUNCH, *arguments]
        with written.open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """-9: it has no time for anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """As an operator stops it; the exit code."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(STOP_PATIENCE_S)
        finally:
            self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def _await_health(self, process: Process) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.http}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.02)
        self.kill()
        raise AssertionError(f"the server did not start:\n{self.log[-4_000:]}")


class Person:
    """Somebody signed in by the test provider; speaks REST."""

    def __init__(self, server: Server, name: str, token: str, sid_token: str) -> None:
        self.server = server
        self.name = name
        self.token = token
        self.refresh_token = sid_token

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, json: Any = None, **more: Any) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=self.server.http, timeout=30, verify=False, trust_env=False) as http:
            return await http.request(method, path, json=json, headers=self.headers | more)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, json: Any = None) -> Any:
        answer = await self.ask("POST", path, json)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


async def sign_in(server: Server, name: str) -> Person:
    """By the test provider, without a callback of our own."""
    async with httpx2.AsyncClient(base_url=server.http, follow_redirects=True, timeout=30, verify=False) as http:
        answer = await http.get("/oauth2/authorize", params={"idp": "test", "login_hint": name})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return Person(server, name, body["access_token"], body["refresh_token"])


class Meeting:
    """A diagram with a live session. `connections` and `sockets` that tests open to it are cut by `over`: one that a
    failed test leaves open would fail another test, whichever runs when it is collected."""

    def __init__(self, host: Person, threat_model: str, diagram: str, session: str) -> None:
        self.host = host
        self.server = host.server
        self.threat_model = threat_model
        self.diagram = diagram
        self.session = session
        self.connections: list[ClientConnection] = []
        self.sockets: list[socket.socket] = []

    async def over(self) -> None:
        for opened in self.sockets:
            opened.close()
        for connection in self.connections:
            connection.transport.abort()
            await connection.wait_closed()

    @property
    def path(self) -> str:
        return f"/threat_models/{self.threat_model}/diagrams/{self.diagram}"

    @property
    def url(self) -> str:
        return f"{self.server.ws}{self.path}/ws"

    async def cells(self) -> tuple[int, list[dict[str, Any]]]:
        """Vector and cells as REST shows them."""
        body = await self.host.get(self.path)
        return body["update_vector"], body["cells"]

    async def ticket(self, person: Person) -> str:
        return str((await person.get(f"/ws/ticket?session_id={self.session}"))["ticket"])


async def meet(host: Person, role: str = "writer") -> Meeting:
    """`role` is everybody else's."""
    everyone = {"subject": "everyone", "subject_type": "group", "role": role}
    model = await host.post("/threat_models", {"name": "meeting", "authorization": [everyone]})
    diagram = await host.post(f"/threat_models/{model['id']}/diagrams", {"name": "diagram", "type": "DFD-1.0.0"})
    meeting = Meeting(host, model["id"], diagram["id"], "")
    meeting.session = (await host.post(f"{meeting.path}/collaborate"))["session_id"]
    return meeting
