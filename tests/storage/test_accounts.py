"""Accounts and Logins on SQLite."""

from __future__ import annotations

import pytest

from storage.sqlite import SqliteDatabase
from tests.contracts.accounts import AccountsContract
from tests.contracts.worlds import SqlWorld


class TestSqliteAccounts(AccountsContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)
