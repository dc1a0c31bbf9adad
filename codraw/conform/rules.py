"""Checks and what they come to: `@rule` registers an async function that breaks with a sentence or returns."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from codraw.assets import asset

if TYPE_CHECKING:
    from codraw.conform.stage import Stage

ROW = re.compile(r"^\| ([A-Z]+\d+) \| (.+) \|$", re.MULTILINE)


class Dialect(StrEnum):
    CLASSIC = "classic"
    TMI = "tmi"
    V1 = "codraw.v1"
    PACKED = "codraw.v1.msgpack"


TEXT = (Dialect.CLASSIC, Dialect.TMI, Dialect.V1)
FAMILY = (Dialect.CLASSIC, Dialect.TMI)
OURS = (Dialect.V1, Dialect.PACKED)
ALL = tuple(Dialect)


class Broken(Exception):
    """The server does not keep the rule; the text says what was expected and what came."""


class NotApplicable(Exception):
    """The rule cannot be seen at this server; the text says why."""


Function = Callable[["Stage"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Check:
    """One function, for one or several rules. `slow_s`: it waits that long, on purpose."""

    ids: tuple[str, ...]
    says: str
    run: Function
    dialects: tuple[Dialect, ...] = ()
    slow_s: float = 0

    @property
    def name(self) -> str:
        return " ".join(self.ids)


CHECKS: list[Check] = []


def rule(ids: str, says: str, dialects: tuple[Dialect, ...] = (), slow_s: float = 0) -> Callable[[Function], Function]:
    """`ids` with blanks between. With `dialects` it runs once in each that the server offers."""

    def register(function: Function) -> Function:
        CHECKS.append(Check(tuple(ids.split()), says, function, dialects, slow_s))
        return function

    return register


def sentences() -> Mapping[str, str]:
    """Rule id -> its sentence in SPEC.md; empty where that was not shipped."""
    spec = asset("SPEC.md")
    return dict(ROW.findall(spec.read_text("utf-8"))) if spec is not None else {}


def family(id: str) -> str:
    return id.rstrip("0123456789")


# expectations -------------------------------------------------------------------------------------------------------


def broken(text: str) -> NoReturn:
    raise Broken(text)


def that(holds: object, text: str) -> None:
    if not holds:
        raise Broken(text)


def equal(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise Broken(f"{what}: expected {expected!r}, came {found!r}")


def one_of(found: Any, expected: tuple[Any, ...], what: str) -> None:
    if found not in expected:
        raise Broken(f"{what}: expected one of {expected!r}, came {found!r}")
