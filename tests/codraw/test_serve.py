"""`codraw serve` runs as a process of its own, says where, answers, refuses in one sentence, and stops when told."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from codraw.app import App
from codraw.serve import SWITCH_S, YOUNG, banner, listen, uvicorn_config
from codraw.serve import Server as OneProcess
from codraw.settings import Settings
from tests.support.client import CodrawV1, add, cell_id
from tests.support.raw import CLOSE, Raw
from tests.support.servers import Meeting, Server, meet, sign_in
from tests.support.tree import ROOT

ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def serve(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "codraw", "serve", "--dev", *words],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refusal(folder: Path, *words: str) -> str:
    """The one line on stderr of a server that does not start."""
    with serve(folder, *words) as process:
        said, why = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, "")
    (line,) = why.splitlines()
    return line


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with serve(tmp_path, "--port", "0") as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process, process.stdout.readline().split()[-1]
        process.kill()


class Looking(OneProcess):
    """Looks around where it would serve."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        self.found = (sys.getswitchinterval(), gc.get_threshold())


def test_a_store_waits_briefly_for_a_busy_event_loop_and_operations_under_way_are_not_collected() -> None:
    former, thresholds, errors = sys.getswitchinterval(), gc.get_threshold(), logging.getLogger("uvicorn.error")
    app = App(Settings(mode="development"))
    server = Looking(uvicorn_config(app), app, lambda port: None)
    try:
        with socket.socket() as listener:
            assert server.serve_on(listener) is None
        switch_s, (young, *older) = server.found
        assert switch_s == pytest.approx(SWITCH_S) != pytest.approx(former)
        assert (young, *older) == (YOUNG, *thresholds[1:])
    finally:
        sys.setswitchinterval(former)
        gc.set_threshold(*thresholds)
        errors.removeFilter(errors.filters[-1])


# starting -------------------------------------------------------------------------------------------------------------


def test_it_answers_where_it_says_and_ctrl_c_is_no_failure(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    assert httpx2.get(f"{address}healthz").status_code == 200
    process.send_signal(signal.SIGINT)
    _, logged = process.communicate(timeout=60)
    assert (process.returncode, logged) == (0, "")


def test_a_second_server_on_the_same_store_is_refused(server: Server) -> None:
    why = refusal(server.folder, "--port", "0", "--store", f"sqlite:///{server.store}")
    assert why == f"error: The store {server.store} is in use by another process."


def test_a_port_for_metrics_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / ".env").write_text(f"CODRAW_METRICS_PORT={port}")
        line = refusal(tmp_path, "--port", "0")
    assert line == f"error: The server cannot listen on 127.0.0.1, port {port} (Address already in use)."


def test_a_port_that_is_taken_is_refused(server: Server, tmp_path: Path) -> None:
    why = refusal(tmp_path, "--port", str(server.port))
    assert why == f"error: The server cannot listen on 127.0.0.1, port {server.port} (Address already in use)."


def test_it_names_neither_itself_nor_the_query_to_the_world(server: Server) -> None:
    with httpx2.Client(base_url=server.http) as client:
        answer = client.get("/nowhere?token=abc123")
        # On the same connection: it is read only after the line about the first request was written.
        client.get("/healthz")
    assert "server" not in answer.headers
    assert "/nowhere" in server.log and "abc123" not in server.log


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_both_kinds_of_address_can_be_listened_on(host: str, family: socket.AddressFamily) -> None:
    (listener,) = listen(host, 0)
    with listener:
        assert listener.family == family


def test_each_of_several_workers_has_a_socket_on_the_one_port() -> None:
    found = listen("127.0.0.1", 0, 3)
    port = found[0].getsockname()[1]
    assert len(found) == (3 if sys.platform == "linux" else 1)
    assert {listener.getsockname()[1] for listener in found} == {port}
    with pytest.raises(OSError):
        listen("127.0.0.1", port, 3)
    for listener in found:
        listener.close()


def test_an_unknown_address_is_refused_as_a_taken_one_is() -> None:
    with pytest.raises(OSError):
        listen("nowhere.invalid", 0)


# stopping -------------------------------------------------------------------------------------------------------------


async def crowded(server: Server) -> tuple[Meeting, CodrawV1]:
    meeting = await meet(await sign_in(server, "ana"))
    return meeting, await CodrawV1(meeting, meeting.host).join()


async def test_I29_SIGTERM_answers_what_was_read_and_sends_everybody_away(tmp_path: Path) -> None:
    """And SES12: the session is still there after the restart, and so is every acknowledged operation."""
    with Server(tmp_path) as server:
        meeting, ana = await crowded(server)
        for _ in range(100):
            await ana.edit(add(cell_id()))
        await ana.hear("operation_accepted")
        code = server.stop()
        close, heard = await ana.closed()
        assert (code, close) == (0, 1012)
        assert heard[-1]["message_type"] == "goodbye" and heard[-1]["reason"] == "restart"
        accepted = [id for id, outcome in ana.outcomes.items() if outcome["message_type"] == "operation_accepted"]
        server.start()
        vector, cells = await meeting.cells()
        assert vector == len(cells) == len(accepted) == ana.vector
        again = await CodrawV1(meeting, meeting.host).join()
        assert again.vector == vector and again.cells == ana.cells
        assert "Traceback" not in server.log


async def test_I29_SIGHUP_ends_the_only_process_as_SIGTERM_does(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        _, ana = await crowded(server)
        os.kill(server.pid, signal.SIGHUP)
        close, heard = await ana.closed()
        assert close == 1012
        assert heard[-1]["message_type"] == "goodbye" and heard[-1]["reason"] == "restart"


async def test_I29_whoever_reads_slowly_is_told_why_before_the_server_stops(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        meeting, ana = await crowded(server)
        for _ in range(20):
            await ana.edit(*(add(cell_id(), data={"text": "x" * 60_000}) for _ in range(4)))
        slow = await Raw.join(meeting, await sign_in(server, "bo"))
        while not slow.is_sent_to():
            await ana.edit(add(cell_id()))
            await ana.hear("operation_accepted")
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        await ana.closed()
        frames = [await slow.read()]
        while frames[-1][0] != CLOSE:
            frames.append(await slow.read())
        assert b'"goodbye"' in frames[-2][1]
        slow.close()
        assert await stopping == 0


async def test_the_secret_is_kept_so_that_tokens_outlive_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        ana = await sign_in(server, "ana")
        server.kill()
        server.start()
        assert (await ana.get("/me"))["provider_id"] == "ana"


async def test_a_socket_that_reads_nothing_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        _, ana = await crowded(server)
        ana.connection.transport.pause_reading()
        assert server.stop() == 0
        ana.cut()


# what it says ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("0.0.0.0", "http://127.0.0.1:8080/"),
        ("::1", "http://[::1]:8080/"),
        ("::", "http://[::1]:8080/"),
    ],
)
@pytest.mark.usefixtures("no_settings")
def test_the_banner_shows_an_address_one_can_click(host: str, address: str) -> None:
    assert address in banner(Settings(host=host, mode="development"), 8080).split()


@pytest.mark.usefixtures("no_settings")
def test_the_banner_shows_the_public_address_where_there_is_one() -> None:
    assert "https://draw.example.org/" in banner(Settings(public_url="https://draw.example.org"), 8080).split()


@pytest.mark.usefixtures("no_settings")
def test_the_banner_says_what_runs() -> None:
    first = banner(Settings(mode="development"), 8080).splitlines()[0]
    assert first.endswith("development  store sqlite codraw.db (durability disk)  bus memory  1 worker")


@pytest.mark.usefixtures("no_settings")
def test_only_a_development_server_offers_any_name() -> None:
    assert "sign in" in banner(Settings(mode="development"), 8080) and "sign in" not in banner(Settings(), 8080)
    corp = {"id": "corp", "name": "Corp", "issuer": "https://login.example.org", "client_id": "codraw"}
    assert "sign in  Corp" in banner(Settings(oidc_providers=[corp]), 8080)


class Hearing(App):
    """Hears from where it is asked."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heard = (scope["client"][0], scope["scheme"])


async def heard(trusted: tuple[str, ...] | None, peer: str, forwarded_for: str) -> tuple[str, str]:
    """Who asks, and how, as the application is told; `trusted` None: as it is by default."""
    app = Hearing(Settings() if trusted is None else Settings(trusted_proxies=trusted))
    config = uvicorn_config(app)
    config.load()
    headers = [(b"x-forwarded-for", forwarded_for.encode()), (b"x-forwarded-proto", b"https")]
    never: Any = None
    await config.loaded_app({"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}, never, never)
    return app.heard


OURS = ("10.0.0.0/8", "192.0.2.9")


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded_for", "client"),
    [
        (OURS, "10.1.2.3", "203.0.113.7", "203.0.113.7"),
        (OURS, "192.0.2.9", "2001:db8::7", "2001:db8::7"),
        (OURS, "10.1.2.3", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (OURS, "10.1.2.3", "6.6.6.6, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        (None, "127.0.0.1", "203.0.113.7", "203.0.113.7"),
    ],
)
async def test_S8_a_listed_proxy_says_who_asks(
    trusted: tuple[str, ...] | None, peer: str, forwarded_for: str, client: str
) -> None:
    assert await heard(trusted, peer, forwarded_for) == (client, "https")


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    ("trusted", "peer"), [(OURS, "192.0.2.1"), (OURS, "127.0.0.1"), (None, "10.1.2.3"), (None, "192.0.2.1")]
)
async def test_S8_nobody_else_does(trusted: tuple[str, ...] | None, peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    assert await heard(trusted, peer, "203.0.113.7") == (peer, "http")


@pytest.mark.usefixtures("no_settings")
def test_the_frame_limit_is_the_servers() -> None:
    assert uvicorn_config(App(Settings(max_frame_bytes=1234))).ws_max_size == 1234
