"""Parts that messages of several dialects are made of."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from protocol.notices import Troubled
from protocol.values import User

T = TypeVar("T")


def words(*choices: str) -> msgspec.Meta:
    """Marks a string that passes through from a value whose type is wider than what this dialect says."""
    return msgspec.Meta(extra_json_schema={"enum": list(choices)})


Permissions = Annotated[str, words("reader", "writer")]


class Person(msgspec.Struct, frozen=True, tag_field="principal_type", tag="user"):
    """User, as the wire spells one."""

    provider: str
    provider_id: str
    email: str
    display_name: str


class UserRef(msgspec.Struct, frozen=True, gc=False):
    id: str
    name: str


class Point(msgspec.Struct, frozen=True):
    x: int | float
    y: int | float


class Viewport(msgspec.Struct, frozen=True):
    x: int | float
    y: int | float
    width: int | float
    height: int | float
    zoom: int | float


def person(user: User) -> Person:
    return Person(user.provider, user.provider_id, user.email, user.display_name)


def person_or_none(user: User | None) -> Person | None:
    return None if user is None else person(user)


def user_ref(user: User) -> UserRef:
    return UserRef(user.id, user.display_name)


def given(value: T | None) -> T | msgspec.UnsetType:
    """A member that is left out where there is nothing to say."""
    return msgspec.UNSET if value is None else value


def details(notice: Troubled) -> dict[str, Any]:
    """Of an `error`, with the id of the operation that it is about."""
    about = {} if notice.operation_id is None else {"operation_id": notice.operation_id}
    return {**notice.details, **about}
