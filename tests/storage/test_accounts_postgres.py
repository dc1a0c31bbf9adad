"""Accounts and Logins on PostgreSQL, and what two workers may do to them at once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from protocol.values import Role, User
from rest.ports import Code, Entry, ThreatModel
from tests.contracts.accounts import GRACE_MS, REFRESH, SID, AccountsContract
from tests.contracts.worlds import ANA, MODEL, SqlWorld, caller


class TestPostgresAccounts(AccountsContract): ...


async def test_S34_a_refresh_token_used_50_times_at_once_on_two_workers_has_one_successor(
    world: SqlWorld, other: SqlWorld
) -> None:
    await world.accounts.start_login(SID, caller(ANA, sid=SID))
    await world.accounts.issue_refresh("token", REFRESH, 60_000)
    rotated = await asyncio.gather(
        *((world, other)[n % 2].accounts.rotate_refresh("token", f"next-{n}", 60_000, GRACE_MS) for n in range(50))
    )
    assert len({successor for _, successor in filter(None, rotated)}) == 1
    assert None not in rotated
    assert list(await world.database.fetch("SELECT count(*) FROM refresh_token")) == [(2,)]


async def test_S31_of_50_uses_of_a_code_at_once_on_two_workers_one_succeeds_and_the_login_ends(
    world: SqlWorld, other: SqlWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # each use waits for those before it, which on a busy machine may take longer than a caller would wait
    monkeypatch.setattr("storage.postgres_pool.WAIT_S", 30.0)
    for turn in range(4):
        code = Code(caller(ANA, sid=f"login-{turn}"), "client", "http://127.0.0.1:1/cb", "challenge", "openid")
        await world.accounts.issue_code(f"code-{turn}", code, 60_000)
        redeemed = await asyncio.gather(
            *((world, other)[n % 2].accounts.redeem_code(f"code-{turn}") for n in range(50))
        )
        assert [found for found in redeemed if found is not None] == [code]
        assert await world.accounts.ended(f"login-{turn}")


async def test_AU12_who_signs_in_while_being_disabled_is_not_signed_in(world: SqlWorld, other: SqlWorld) -> None:
    """Neither sees what the other has not written yet: without a lock a login would outlive its account."""
    for turn in range(12):
        user = User("test", f"u{turn}", f"u{turn}@example.com", "U")
        await world.accounts.remember(caller(user))
        began, known = await asyncio.gather(
            world.accounts.start_login(f"login-{turn}", caller(user)), other.accounts.disable("test", f"u{turn}")
        )
        assert known and isinstance(began, bool)
        assert await world.accounts.ended(f"login-{turn}")


async def test_AU17_who_signs_in_while_her_address_is_named_is_bound_to_it(world: SqlWorld, other: SqlWorld) -> None:
    """Neither sees what the other has not written yet: without a lock the entry would wait for ever."""
    await world.models.create(ThreatModel(MODEL, ANA, ANA, 0, 0, {"name": "model"}, (), {}))
    for turn in range(12):
        email = f"u{turn}@example.com"
        user = User("test", f"u{turn}", email, "U")
        model = await world.models.read(MODEL)
        assert model is not None
        named = msgspec.structs.replace(model, entries=(Entry("user", Role.WRITER, "test", None, email),))
        await asyncio.gather(world.models.change(named), other.accounts.remember(caller(user, email_verified=True)))
        assert await world.models.role(caller(user), MODEL) is Role.WRITER


async def test_accounts_that_sign_in_at_once_are_remembered(world: SqlWorld, other: SqlWorld) -> None:
    users = [User("test", f"u{n % 5}", "same@example.com", f"U{n}") for n in range(40)]
    await asyncio.gather(
        *((world, other)[n % 2].accounts.remember(caller(u, email_verified=True)) for n, u in enumerate(users))
    )
    assert len(await world.models.known_users("same@example.com")) == 5
