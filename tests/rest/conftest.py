"""A fresh HTTP edge for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.edges import Edge, Somebody, edge


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as made:
        yield made


@pytest.fixture
async def tmi(tmp_path: Path) -> AsyncIterator[Edge]:
    """Under the setting `api_profile = tmi`."""
    async with edge(tmp_path, profile="tmi") as made:
        yield made


@pytest.fixture
async def alice(here: Edge) -> Somebody:
    return await here.as_("alice")


@pytest.fixture
async def bob(here: Edge) -> Somebody:
    return await here.as_("bob")


@pytest.fixture
async def eve(here: Edge) -> Somebody:
    return await here.as_("eve")
