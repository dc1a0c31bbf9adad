"""What Accounts and Logins owe, `rest.ports.Accounts` and `collab.ports.Logins` sentence by sentence.

Entries that are bound to people by address are in the suite of Models.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from collab.ports import Logins, LoginState
from protocol.values import User
from rest.ports import Accounts, Code, Models, Refresh, but
from tests.contracts.worlds import ANA, BO, Hands, caller

DAY_S = 24 * 3_600
SID = "login-1"
GRACE_MS = 30_000
CODE = Code(caller(ANA, "staff", sid=SID), "client", "http://127.0.0.1:1/cb", "challenge", "openid")
REFRESH = Refresh(caller(ANA, "staff", sid=SID, expires_at_ms=5), "openid", since_ms=7)


class AccountsAndLogins(Accounts, Logins, Protocol):
    async def disable(self, provider: str, provider_id: str) -> bool: ...
    async def enable(self, provider: str, provider_id: str) -> bool: ...


class AccountWorld(Protocol):
    @property
    def clock(self) -> Hands: ...
    @property
    def accounts(self) -> AccountsAndLogins: ...
    @property
    def models(self) -> Models: ...


class AccountsContract:
    """A subclass gives the fixture `world`."""

    # logins

    async def test_a_login_stands_until_it_is_ended(self, world: AccountWorld) -> None:
        assert await world.accounts.ended(SID)
        await world.accounts.start_login(SID, caller(ANA))
        assert not await world.accounts.ended(SID)
        await world.accounts.end_login(SID)
        assert await world.accounts.ended(SID)

    async def test_an_ended_login_does_not_begin_again(self, world: AccountWorld) -> None:
        """A code replayed before its first use has started the login ends it all the same."""
        await world.accounts.end_login(SID)
        await world.accounts.start_login(SID, caller(ANA))
        assert await world.accounts.ended(SID)

    async def test_AU11_the_newest_access_token_sets_the_expiry(self, world: AccountWorld) -> None:
        await world.accounts.start_login(SID, caller(ANA))
        await world.accounts.raise_expiry(SID, 2_000)
        await world.accounts.raise_expiry(SID, 1_000)
        assert await world.accounts.standing([SID]) == {SID: LoginState(2_000, ended=False)}

    async def test_AU12_the_standing_of_many_logins_is_told_at_once(self, world: AccountWorld) -> None:
        for sid in ("a", "b"):
            await world.accounts.start_login(sid, caller(ANA))
        await world.accounts.raise_expiry("a", 7)
        await world.accounts.end_login("b")
        assert await world.accounts.standing(["a", "b", "never"]) == {
            "a": LoginState(7, ended=False),
            "b": LoginState(0, ended=True),
        }
        assert await world.accounts.standing([]) == {}

    # codes

    async def test_AU4_a_code_works_once_and_its_second_use_ends_the_login(self, world: AccountWorld) -> None:
        await world.accounts.issue_code("secret", CODE, 60_000)
        assert await world.accounts.redeem_code("secret") == CODE
        await world.accounts.start_login(SID, CODE.caller)
        assert await world.accounts.redeem_code("guess") is None
        assert not await world.accounts.ended(SID)
        assert await world.accounts.redeem_code("secret") is None
        assert await world.accounts.ended(SID)

    async def test_AU4_of_50_uses_at_once_one_succeeds(self, world: AccountWorld) -> None:
        await world.accounts.issue_code("secret", CODE, 60_000)
        found = await asyncio.gather(*(world.accounts.redeem_code("secret") for _ in range(50)))
        assert [code for code in found if code is not None] == [CODE]
        await world.accounts.start_login(SID, CODE.caller)
        assert await world.accounts.ended(SID)

    @pytest.mark.parametrize(("seconds", "works"), [(59.999, True), (60, False)])
    async def test_AU4_a_code_lives_as_long_as_it_was_given(
        self, world: AccountWorld, seconds: float, works: bool
    ) -> None:
        await world.accounts.issue_code("secret", CODE, 60_000)
        world.clock.turn(seconds)
        assert (await world.accounts.redeem_code("secret") is not None) == works

    async def test_AU4_a_late_second_use_ends_the_login_too(self, world: AccountWorld) -> None:
        await world.accounts.issue_code("secret", CODE, 60_000)
        await world.accounts.redeem_code("secret")
        await world.accounts.start_login(SID, CODE.caller)
        world.clock.turn(3_600)
        await world.accounts.issue_code("another", CODE, 60_000)
        assert await world.accounts.redeem_code("secret") is None
        assert await world.accounts.ended(SID)

    async def test_a_code_without_challenge_is_kept_so(self, world: AccountWorld) -> None:
        excused = Code(CODE.caller, "client", "http://127.0.0.1:1/cb", None, "openid")
        await world.accounts.issue_code("secret", excused, 60_000)
        assert await world.accounts.redeem_code("secret") == excused

    async def test_the_code_of_an_ended_login_is_worth_nothing(self, world: AccountWorld) -> None:
        await world.accounts.issue_code("secret", CODE, 60_000)
        await world.accounts.end_login(SID)
        assert await world.accounts.redeem_code("secret") is None

    # refresh tokens

    async def rotated(self, world: AccountWorld, token: str, successor: str) -> str | None:
        found = await world.accounts.rotate_refresh(token, successor, 7 * DAY_S * 1000, GRACE_MS)
        if found is None:
            return None
        assert found[0] == REFRESH
        return found[1]

    async def signed_in(self, world: AccountWorld) -> None:
        await world.accounts.start_login(SID, REFRESH.caller)
        await world.accounts.issue_refresh("r1", REFRESH, 7 * DAY_S * 1000)

    async def test_AU8_a_refresh_token_makes_room_for_its_successor(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        assert await self.rotated(world, "r1", "r2") == "r2"
        assert await self.rotated(world, "r2", "r3") == "r3"
        assert await self.rotated(world, "guess", "r9") is None
        assert not await world.accounts.ended(SID)

    async def test_AU20_a_sign_in_that_was_not_noted_counts_from_the_first_renewal(self, world: AccountWorld) -> None:
        await world.accounts.start_login(SID, REFRESH.caller)
        await world.accounts.issue_refresh("r1", but(REFRESH, since_ms=0), 7 * DAY_S * 1000)
        noted = world.clock()
        for before, after in (("r1", "r2"), ("r2", "r3"), ("r3", "r4")):
            assert await world.accounts.rotate_refresh(before, after, 7 * DAY_S * 1000, GRACE_MS) == (
                but(REFRESH, since_ms=noted),
                after,
            )
            world.clock.turn(DAY_S)

    async def test_AU8_within_the_grace_the_same_successor_is_given_again(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        await self.rotated(world, "r1", "r2")
        world.clock.turn(30)
        assert await self.rotated(world, "r1", "a longer one, never used") == "r2"
        assert await self.rotated(world, "a longer one, never used", "r9") is None

    async def test_AU8_within_the_grace_whoever_is_steps_behind_gets_the_one_that_stands(
        self, world: AccountWorld
    ) -> None:
        await self.signed_in(world)
        await self.rotated(world, "r1", "r2")
        await self.rotated(world, "r2", "r3")
        assert await self.rotated(world, "r1", "never used") == "r3"
        world.clock.turn(31)
        assert await self.rotated(world, "r3", "r4") == "r4"

    async def test_AU8_I30_whoever_is_very_many_steps_behind_gets_nothing(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        for step in range(1, 34):
            assert await self.rotated(world, f"r{step}", f"r{step + 1}") == f"r{step + 1}"
        assert await self.rotated(world, "r1", "never used") is None
        assert await self.rotated(world, "r2", "never used") == "r34"
        assert not await world.accounts.ended(SID)

    async def test_AU8_the_grace_counts_from_the_first_rotation(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        await self.rotated(world, "r1", "r2")
        world.clock.turn(20)
        await self.rotated(world, "r1", "r3")
        world.clock.turn(20)
        assert await self.rotated(world, "r1", "r4") is None

    async def test_AU8_later_reuse_ends_the_login(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        await self.rotated(world, "r1", "r2")
        world.clock.turn(30.001)
        assert await self.rotated(world, "r1", "r3") is None
        assert await world.accounts.ended(SID)
        assert await self.rotated(world, "r2", "r4") is None

    async def test_AU8_S34_50_rotations_at_once_give_one_successor(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        found = await asyncio.gather(*(self.rotated(world, "r1", f"s{n}") for n in range(50)))
        assert len(set(found)) == 1
        assert None not in found
        assert not await world.accounts.ended(SID)

    async def test_a_refresh_token_lives_as_long_as_it_was_given(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        world.clock.turn(7 * DAY_S - 0.001)
        assert await self.rotated(world, "r1", "r2") == "r2"
        world.clock.turn(7 * DAY_S)
        assert await self.rotated(world, "r2", "r3") is None
        assert not await world.accounts.ended(SID)

    async def test_the_refresh_token_of_an_ended_or_unknown_login_is_worth_nothing(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        await world.accounts.end_login(SID)
        assert await self.rotated(world, "r1", "r2") is None

    async def test_a_token_of_another_login_is_not_touched(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        other = Refresh(caller(BO, sid="login-2"), "openid", since_ms=7)
        await world.accounts.start_login("login-2", caller(BO))
        await world.accounts.issue_refresh("other", other, 60_000)
        await world.accounts.end_login(SID)
        assert await world.accounts.rotate_refresh("other", "o2", 60_000, GRACE_MS) == (other, "o2")

    async def test_AU12_any_refresh_token_of_a_login_names_it(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        await world.accounts.end_login_of("guess")
        assert not await world.accounts.ended(SID)
        await self.rotated(world, "r1", "r2")
        await world.accounts.end_login_of("r1")
        assert await world.accounts.ended(SID)
        assert await self.rotated(world, "r2", "r3") is None

    async def test_the_state_of_a_refresh_token_is_told_until_it_is_used(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        until = world.clock() + 7 * DAY_S * 1000
        for _ in range(2):
            assert await world.accounts.refresh_state("r1") == (REFRESH, until)
        await self.rotated(world, "r1", "r2")
        assert await world.accounts.refresh_state("r1") is None
        assert await world.accounts.refresh_state("guess") is None
        world.clock.turn(7 * DAY_S)
        assert await world.accounts.refresh_state("r2") is None

    async def test_the_state_of_a_refresh_token_ends_with_its_login(self, world: AccountWorld) -> None:
        await self.signed_in(world)
        await world.accounts.end_login(SID)
        assert await world.accounts.refresh_state("r1") is None

    # disabled accounts

    async def known(self, world: AccountWorld) -> None:
        """ANA, with a login and a refresh token; BO, with a login."""
        for who, sid in ((ANA, SID), (BO, "login-2")):
            await world.accounts.remember(caller(who, sid=sid))
            assert await world.accounts.start_login(sid, caller(who, sid=sid))
        await world.accounts.issue_refresh("r1", REFRESH, 7 * DAY_S * 1000)

    async def test_AU12_disabling_ends_every_login_of_that_person_and_no_other(self, world: AccountWorld) -> None:
        await self.known(world)
        await world.accounts.start_login("login-3", caller(ANA, sid="login-3"))
        assert await world.accounts.disable(ANA.provider, ANA.provider_id)
        ended = {
            sid: state.ended for sid, state in (await world.accounts.standing([SID, "login-2", "login-3"])).items()
        }
        assert ended == {SID: True, "login-2": False, "login-3": True}
        assert await self.rotated(world, "r1", "r2") is None

    async def test_AU12_a_disabled_account_does_not_sign_in(self, world: AccountWorld) -> None:
        await self.known(world)
        await world.accounts.disable(ANA.provider, ANA.provider_id)
        await world.accounts.remember(caller(ANA, sid="again"))
        assert not await world.accounts.start_login("again", caller(ANA, sid="again"))
        assert await world.accounts.ended("again")
        assert await world.accounts.start_login("other", caller(BO, sid="other"))

    async def test_S27_a_namesake_at_another_provider_is_not_disabled(self, world: AccountWorld) -> None:
        twin = User("other", ANA.provider_id, ANA.email, ANA.display_name)
        await self.known(world)
        await world.accounts.remember(caller(twin))
        await world.accounts.disable(ANA.provider, ANA.provider_id)
        assert await world.accounts.start_login("of-twin", caller(twin, sid="of-twin"))

    async def test_an_enabled_account_signs_in_anew_and_what_ended_stays_ended(self, world: AccountWorld) -> None:
        await self.known(world)
        for _ in range(2):
            assert await world.accounts.disable(ANA.provider, ANA.provider_id)
        assert await world.accounts.enable(ANA.provider, ANA.provider_id)
        assert await world.accounts.ended(SID)
        assert await world.accounts.start_login("again", caller(ANA, sid="again"))
        assert not await world.accounts.ended("again")

    async def test_nobody_is_disabled_who_never_signed_in(self, world: AccountWorld) -> None:
        assert not await world.accounts.disable("test", "nobody")
        assert not await world.accounts.enable("test", "nobody")

    # people

    async def test_S27_people_are_known_by_provider_and_id(self, world: AccountWorld) -> None:
        twin = User("other", "ana", ANA.email, "Another Ana")
        await world.accounts.remember(caller(ANA))
        await world.accounts.remember(caller(twin))
        assert await world.models.known_users(" ANA@Example.com ") == [twin, ANA]

    async def test_a_person_is_remembered_as_last_seen(self, world: AccountWorld) -> None:
        await world.accounts.remember(caller(ANA))
        moved = User(ANA.provider, ANA.provider_id, "new@example.com", "Ana B.")
        await world.accounts.remember(caller(moved))
        assert await world.models.known_users("new@example.com") == [moved]
        assert await world.models.known_users(ANA.email) == []

    async def test_an_address_that_is_not_verified_makes_nobody_known(self, world: AccountWorld) -> None:
        await world.accounts.remember(caller(ANA, email_verified=False))
        assert await world.models.known_users(ANA.email) == []
        await world.accounts.remember(caller(ANA))
        assert await world.models.known_users(ANA.email) == [ANA]
