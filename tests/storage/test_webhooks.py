"""What people see of their webhooks; the contract of the whole, on SQLite."""

from __future__ import annotations

import pytest

from storage.sqlite import SqliteDatabase
from tests.contracts.webhooks import WebhooksContract
from tests.contracts.worlds import SqlWorld


class TestSqliteWebhooks(WebhooksContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)
