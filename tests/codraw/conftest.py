"""Servers in processes of their own for all tests of the program that leave them as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from codraw.local_stores import LocalRedis
from tests.support.crew import Crew
from tests.support.servers import Server
from tests.support.stores import database_of, statement


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("program")) as server:
        yield server


@pytest.fixture(scope="session")
def crew(
    postgres_template: tuple[str, str], redis_server: LocalRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crew]:
    """Two workers on a database of their own, for tests that leave two behind."""
    admin, template = postgres_template
    name = f"codraw_crew_{os.getpid()}"
    statement(admin, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    with Crew(tmp_path_factory.mktemp("crew"), database_of(admin, name), redis_server.url) as crew:
        yield crew
    statement(admin, f'DROP DATABASE "{name}" WITH (FORCE)')
