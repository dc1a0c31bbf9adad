"""Node with sockets, and one server for all scenes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.servers import Server


@pytest.fixture
def node_with_sockets(node: str) -> list[str]:
    """Node has had a WebSocket of its own since 22, behind a switch since 20.10."""
    for switches in ([], ["--experimental-websocket"]):
        command = [node, *switches]
        probe = subprocess.run([*command, "-p", "typeof WebSocket"], capture_output=True, text=True, check=False)
        if probe.stdout.strip() == "function":
            return command
    pytest.skip("node has no WebSocket: older than 20.10")


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server
