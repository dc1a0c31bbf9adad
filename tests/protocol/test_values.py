"""Identities and roles."""

from __future__ import annotations

import msgspec
import pytest

from protocol.values import SERVER_USER, Caller, Role, User


def user(provider: str, provider_id: str) -> User:
    return User(provider, provider_id, "ana@example.com", "Ana")


def test_S27_the_same_address_at_two_providers_is_two_people() -> None:
    assert user("test", "ana").id != user("other", "ana").id


def test_a_caller_is_known_by_the_identity_of_the_user() -> None:
    assert Caller(user("test", "ana")).id == "test:ana"


def test_an_identity_is_spelled_once_and_is_no_part_of_what_is_written() -> None:
    ana = user("test", "ana")
    assert ana.id is ana.id
    assert ana == user("test", "ana")
    assert hash(ana) == hash(user("test", "ana"))
    assert msgspec.to_builtins(ana) == msgspec.to_builtins(user("test", "ana"))


@pytest.mark.parametrize(("role", "shown"), [(Role.READER, "reader"), (Role.WRITER, "writer"), (Role.OWNER, "writer")])
def test_SES17_an_owner_counts_as_writer(role: Role, shown: str) -> None:
    assert role.permissions == shown


def test_roles_are_ordered() -> None:
    assert Role.OWNER > Role.WRITER > Role.READER > Role.NONE


def test_nobody_can_be_the_servers_user() -> None:
    assert SERVER_USER.email.endswith(".invalid")
