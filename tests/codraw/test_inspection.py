"""What `codraw check` finds: the state of each part, and who would stand against another worker."""

from __future__ import annotations

import pytest

from codraw.inspection import Finding, inspected
from codraw.roll import NO_BUS, Roll
from codraw.settings import Settings
from codraw.stores import open_store
from storage.workers import WorkerBook

pytestmark = pytest.mark.usefixtures("no_settings")


async def test_a_worker_that_would_be_refused_is_told_why(postgres_url: str) -> None:
    settings = Settings(mode="development", store_url=postgres_url)
    database = await open_store(settings)
    await Roll(WorkerBook(database), "there", lambda: NO_BUS).call()
    *rest, workers = await inspected(settings)
    assert (workers.part, workers.state) == ("workers", "down") and "Worker there" in workers.what
    assert {finding.state for finding in rest} == {"ok"}
    # and nobody was added
    assert [entry.id for entry in await WorkerBook(database).alive(60_000)] == ["there"]
    await database.close()


async def test_a_file_has_no_other_workers(no_settings: object) -> None:
    found = await inspected(Settings(mode="development"))
    assert [finding.part for finding in found] == ["store", "schema", "bus", "clock"]
    assert found[2] == Finding("bus", "ok", "memory")
