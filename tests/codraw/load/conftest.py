"""A run against the program itself, as short as it can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from codraw.load.plan import Plan
from codraw.load.results import Results
from codraw.load.run import Run
from tests.support.servers import Server

Loading = Callable[..., Awaitable[Results]]


@pytest.fixture
def loading(server: Server) -> Loading:
    async def load(**options: Any) -> Results:
        plan = Plan(**{"urls": (server.http,), "editors": 6, "diagrams": 2, "rate": 20.0, "duration_s": 0.5, **options})
        return await Run(plan.checked()).run()

    return load
