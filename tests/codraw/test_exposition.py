"""What Prometheus reads on the port of its own, of one process and of several."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from codraw.exposition import Exposition, families
from codraw.local_stores import free_port
from codraw.metrics import Row
from tests.support.client import Classic, CodrawV1, add, cell_id
from tests.support.crew import Crew
from tests.support.servers import Server, meet, sign_in
from tests.support.turns import until_read

ASKED = {"type": "patch", "cells": [add(cell_id())]}
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def port() -> int:
    return free_port()


async def read(port: int) -> Samples:
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Of the first worker."""
    return samples.get((name, frozenset({"worker": "0", **labels}.items())), 0.0)


async def test_a_server_tells_what_it_has_done(tmp_path: Path, port: int) -> None:
    with Server(tmp_path, metrics_port=str(port)) as server:
        ana, bob = await sign_in(server, "ana"), await sign_in(server, "bob")
        meeting = await meet(ana)
        drawing, watching = await CodrawV1(meeting, ana).join(), await Classic(meeting, bob).join()
        await drawing.edit(add(cell_id()))
        await drawing.hear("operation_accepted")
        await drawing.edit(add("no id"))
        await drawing.hear("operation_rejected")
        await ana.post(f"{meeting.path}/operations", {"operation_id": cell_id(), "operation": ASKED})
        now = await read(port)
        assert value(now, "codraw_operations_total", dialect="codraw.v1", outcome="accepted") == 1
        assert value(now, "codraw_operations_total", dialect="codraw.v1", outcome="validation_failed") == 1
        assert value(now, "codraw_operations_total", dialect="rest", outcome="accepted") == 1
        assert value(now, "codraw_receipt_seconds_count") == 2
        assert value(now, "codraw_commit_operations_sum") == 2
        assert value(now, "codraw_deliveries_total", dialect="classic") >= 2
        assert (value(now, "codraw_rooms"), value(now, "codraw_sessions"), value(now, "codraw_cells")) == (1, 1, 2)
        assert value(now, "codraw_sockets", dialect="classic") == value(now, "codraw_sockets", dialect="codraw.v1") == 1
        assert value(now, "codraw_ready") == value(now, "codraw_store_up") == value(now, "codraw_worker_up") == 1
        assert value(now, "process_resident_memory_bytes") > 10_000_000
        await watching.leave()

        async def gone() -> bool:
            return value(await read(port), "codraw_closes_total", reason="clean") == 1

        await until_read(gone)
        await meeting.over()


async def test_WS13_no_label_is_of_a_client_s_choice(tmp_path: Path, port: int) -> None:
    with Server(tmp_path, metrics_port=str(port)) as server:
        ana = await sign_in(server, "ana")
        meeting = await meet(ana)
        await ana.get(meeting.path)
        for method, path in (("GET", "/made/up"), ("MADEUP", "/config"), ("GET", "/threat_models/madeup")):
            await ana.ask(method, path)
        now = await read(port)
    text = str(sorted(map(repr, now)))
    assert "made" not in text.lower() and ana.token not in text and meeting.diagram not in text
    route = "/threat_models/{threat_model_id}/diagrams/{diagram_id}"
    assert value(now, "codraw_http_seconds_count", route=route, method="GET", status="200") == 1
    assert value(now, "codraw_http_seconds_count", route="other", method="GET", status="404") == 1


async def test_several_workers_are_told_apart(tmp_path: Path, port: int, postgres_url: str, redis_url: str) -> None:
    with Crew(tmp_path, postgres_url, redis_url, metrics_port=str(port)) as crew:

        async def stand() -> bool:
            now = await read(port)
            return all(now.get((name, frozenset({("worker", place)}))) == 1 for name in NAMES for place in "01")

        await until_read(stand, patience_s=60)
        stopped = crew.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        try:
            now = await read(port)
        finally:
            os.kill(stopped, signal.SIGCONT)
        up = sorted(number for (name, _), number in now.items() if name == "codraw_worker_up")
        assert up == [0, 1]
        assert len([name for name, _ in now if name == "codraw_ready"]) == 1
        await until_read(stand)


NAMES = ("codraw_worker_up", "codraw_ready", "codraw_bus_healthy")


@contextmanager
def page(port: int) -> Iterator[Exposition]:
    shown = Exposition("127.0.0.1", port)
    try:
        yield shown
    finally:
        shown.close()


async def test_a_process_whose_loop_is_over_or_hangs_is_one_whose_worker_is_down(port: int) -> None:
    async def answer() -> Mapping[int, Sequence[Row] | None]:
        return {0: []}

    async def bind() -> None:
        shown.ask(answer)

    with page(port) as shown:
        assert await read(port) == {}
        await asyncio.to_thread(asyncio.run, bind())
        assert await read(port) == {("codraw_worker_up", frozenset({("worker", "0")})): 0}


def test_what_a_newer_worker_tells_and_this_one_does_not_know_is_left_out() -> None:
    rows: list[Row] = [("codraw_new", (), 1), ("codraw_rooms", ("more",), 1), ("codraw_rooms", (), 3)]
    shown = {family.name: family.samples for family in families({0: rows})}
    assert [sample.value for sample in shown["codraw_rooms"]] == [3]
    assert set(shown) == {"codraw_worker_up", "codraw_rooms"}
