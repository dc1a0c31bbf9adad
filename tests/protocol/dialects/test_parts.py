from __future__ import annotations

import msgspec

from protocol.dialects.parts import given, person, person_or_none, user_ref
from tests.protocol.dialects.samples import ALICE


def test_a_person_has_the_five_published_members() -> None:
    assert msgspec.to_builtins(person(ALICE)) == {
        "principal_type": "user",
        "provider": "test",
        "provider_id": "alice",
        "email": "alice@tmi.local",
        "display_name": "Alice",
    }


def test_a_reference_names_identity_and_display_name() -> None:
    assert msgspec.to_builtins(user_ref(ALICE)) == {"id": "test:alice", "name": "Alice"}


def test_nobody_stays_nobody() -> None:
    assert person_or_none(None) is None


def test_what_is_not_given_is_left_out() -> None:
    assert given(None) is msgspec.UNSET
    assert given(0) == 0
