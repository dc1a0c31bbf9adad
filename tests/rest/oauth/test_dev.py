"""The people of the test provider."""

from __future__ import annotations

import pytest

from protocol.values import User
from rest.oauth import dev


@pytest.mark.parametrize(
    ("hint", "user"),
    [
        ("alice", User("test", "alice", "alice@tmi.local", "Alice")),
        ("alice@tmi.local", User("test", "alice", "alice@tmi.local", "Alice")),
        ("bob@example.com", User("test", "bob@example.com", "bob@example.com", "Bob")),
        ("@tmi.local", User("test", "@tmi.local", "@tmi.local", "")),
    ],
)
def test_a_hint_names_a_person(hint: str, user: User) -> None:
    assert dev.user(hint) == user


def test_without_a_hint_somebody_new_comes() -> None:
    assert dev.user(None) != dev.user(None)


def test_its_other_name_means_it() -> None:
    assert [dev.real_provider(name) for name in ("tmi", "test", "google")] == ["test", "test", "google"]


@pytest.mark.parametrize("hint", ["", " ", "a\nb", "\x00", "x" * 129])
def test_not_everything_is_a_hint(hint: str) -> None:
    assert not dev.is_hint(hint)
