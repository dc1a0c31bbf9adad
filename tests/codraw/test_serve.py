"""`codraw serve` runs as a process of its own, says where, answers, and stops when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from codraw.serve import banner, uvicorn_config
from codraw.settings import Settings
from tests.support.tree import ROOT


@pytest.fixture
def served(no_settings: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "codraw", "serve", "--dev", "--port", "0"],
        cwd=no_settings,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process, process.stdout.readline().split()[-1]
        process.kill()


def test_it_answers_where_it_says(served: tuple[subprocess.Popen[str], str]) -> None:
    _, address = served
    assert httpx2.get(address).json()["service"]["name"] == "codraw"


def test_it_names_neither_itself_nor_the_query_to_the_world(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    answer = httpx2.get(address + "nowhere?token=abc")
    process.send_signal(signal.SIGINT)
    _, logged = process.communicate(timeout=20)
    assert "server" not in answer.headers
    assert "/nowhere" in logged and "abc" not in logged


def test_ctrl_c_is_no_failure(served: tuple[subprocess.Popen[str], str]) -> None:
    process, _ = served
    process.send_signal(signal.SIGINT)
    _, logged = process.communicate(timeout=20)
    assert (process.returncode, logged) == (0, "")


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8080/"), ("0.0.0.0", "http://127.0.0.1:8080/"), ("::1", "http://[::1]:8080/")],
)
@pytest.mark.usefixtures("no_settings")
def test_the_banner_shows_an_address_one_can_click(host: str, address: str) -> None:
    assert address in banner(Settings(host=host, mode="development"), 8080).split()


@pytest.mark.usefixtures("no_settings")
def test_the_banner_says_what_runs() -> None:
    first = banner(Settings(mode="development"), 8080).splitlines()[0]
    assert first.endswith("development  store sqlite codraw.db (durability disk)  bus memory  1 worker")


@pytest.mark.usefixtures("no_settings")
def test_the_frame_limit_is_the_servers() -> None:
    assert uvicorn_config(Settings(max_frame_bytes=1234)).ws_max_size == 1234
