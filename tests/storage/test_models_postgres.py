"""Models and Authorizer on PostgreSQL."""

from __future__ import annotations

import pytest

from storage.postgres import PostgresDatabase
from tests.contracts.models import ModelsContract
from tests.contracts.worlds import SqlWorld


class TestPostgresModels(ModelsContract):
    @pytest.fixture
    def world(self, postgres: PostgresDatabase) -> SqlWorld:
        return SqlWorld(postgres)
