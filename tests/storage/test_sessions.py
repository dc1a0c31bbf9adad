"""The SessionStore on SQLite."""

from __future__ import annotations

import pytest

from storage.sqlite import SqliteDatabase
from tests.contracts.session_store import SessionStoreContract
from tests.contracts.worlds import SqlWorld


class TestSqliteSessions(SessionStoreContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)
