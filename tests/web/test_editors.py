"""The SDK at a real server: editors over bad wires, and a server that is killed, end equal."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx2

from tests.naive import NaiveDiagram
from tests.support.servers import Server

EDITORS = Path(__file__).parents[2] / "web/tests/support/editors.js"
OPERATIONS = 300


def end_of(process: subprocess.Popen[str]) -> Any:
    output, complaints = process.communicate(timeout=110)
    assert process.returncode == 0, complaints[-4_000:]
    return json.loads(output.splitlines()[-1])


def test_three_editors_end_equal_though_the_server_is_killed(node_with_sockets: list[str], tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        command = [*node_with_sockets, str(EDITORS), server.http, str(OPERATIONS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "half\n"
            server.kill()
            server.start()
            end = end_of(process)
        vector, cells = truth(server, end["path"])
    assert [(editor["state"], editor["pending"]) for editor in end["editors"]] == [("live", 0)] * 3
    assert {editor["vector"] for editor in end["editors"]} == {vector}
    assert {editor["hash"] for editor in end["editors"]} == {f"{NaiveDiagram(cells).hash():032x}"}
    assert [editor["order"] for editor in end["editors"]] == [[cell["id"] for cell in cells]] * 3
    assert end["saved"] == vector, "what was reported as saved is what the server holds, each once"
    assert end["mismatches"] == 0


def truth(server: Server, path: str) -> tuple[int, list[dict[str, Any]]]:
    with httpx2.Client(base_url=server.http, follow_redirects=True, timeout=30) as http:
        token = http.get("/oauth2/authorize", params={"idp": "test", "login_hint": "ana"}).json()["access_token"]
        body = http.get(path, headers={"Authorization": f"Bearer {token}"}).json()
    return body["update_vector"], body["cells"]
