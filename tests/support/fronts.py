"""A front with facts a test can state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rest.front import Front, Readiness

READY = Readiness(store="ok", bus="ok", schema="ok", draining=False)


def front(
    readiness: Readiness = READY,
    public_url: str | None = None,
    documents: dict[str, Path] | None = None,
    messages: Callable[[], str] | None = None,
    calls: Callable[[], str] | None = None,
    reader: Callable[[], tuple[str, str]] | None = None,
) -> Front:
    async def ready() -> Readiness:
        return readiness

    return Front(
        build="1.2.3",
        dialects=("classic", "tmi"),
        limits={"max_frame_bytes": 262144},
        durability="disk",
        store="postgresql",
        bus="redis",
        workers=lambda: 3,
        status_word="OK",
        public_url=public_url,
        documents=documents or {},
        now=lambda: datetime(2026, 11, 21, 10, 0, 0, 999, tzinfo=UTC),
        readiness=ready,
        messages=messages,
        calls=calls,
        reader=reader,
    )
