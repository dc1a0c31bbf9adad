"""Models and Authorizer on SQLite."""

from __future__ import annotations

import pytest

from storage.sqlite import SqliteDatabase
from tests.contracts.models import ModelsContract
from tests.contracts.worlds import SqlWorld


class TestSqliteModels(ModelsContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)
