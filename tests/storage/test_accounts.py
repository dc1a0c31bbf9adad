"""Accounts and Logins on SQLite."""

from __future__ import annotations

import pytest

from collab.ports import Grant
from protocol.values import SessionId
from storage.sqlite import SqliteDatabase
from tests.contracts.accounts import CODE, REFRESH, AccountsContract
from tests.contracts.worlds import ANA, D, SqlWorld, caller


class TestSqliteAccounts(AccountsContract):
    @pytest.fixture
    def world(self, database: SqliteDatabase) -> SqlWorld:
        return SqlWorld(database)


async def test_no_secret_is_in_the_file(database: SqliteDatabase) -> None:
    world = SqlWorld(database)
    secrets = [f"{kind}-{'x' * 30}" for kind in ("code", "refresh", "successor", "ticket")]
    await world.accounts.issue_code(secrets[0], CODE, 60_000)
    await world.accounts.issue_refresh(secrets[1], REFRESH, 60_000)
    assert await world.accounts.rotate_refresh(secrets[1], secrets[2], 60_000, 30_000) is not None
    await world.sessions.issue_ticket(secrets[3], Grant(caller(ANA), SessionId("s"), D), 30_000)
    written = b"".join(path.read_bytes() for path in database.path.parent.iterdir())
    assert b"ana@example.com" in written
    assert [secret for secret in secrets if secret.encode() in written] == []
