"""Runs checks against a server, a few at a time, each on a stage of its own and with a bound on its time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import httpx2
from websockets.exceptions import WebSocketException

from codraw.conform.people import Target, Unreachable
from codraw.conform.rules import Broken, Check, Dialect, NotApplicable, family
from codraw.conform.stage import Stage
from codraw.conform.suite import SUITE
from codraw.conform.wire import redacted

WHOLE = 6
"""A check may take so many times the patience for one answer."""
HTTP_PATIENCE_S = 30.0
IDLE_S = 1.0
"""A connection idle for longer is not used again: servers close theirs after some seconds, unasked."""
CONNECTION = (WebSocketException, httpx2.HTTPError, OSError)
SHAPE = (KeyError, TypeError, IndexError, ValueError, AttributeError)
"""A message or body lacks what it is published to hold."""


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """It was too slow to tell: a busy machine is no broken rule."""
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Result:
    """`text`: why it did not pass; `trace`: the frames."""

    check: Check
    dialect: Dialect | None
    verdict: Verdict
    text: str = ""
    trace: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.check.name} {self.dialect or ''}".rstrip()


@dataclass(frozen=True, slots=True)
class Choice:
    """What to run. Empty is everything."""

    rules: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    dialects: frozenset[str] = frozenset()
    slow: bool = False
    patience_s: float = 5.0
    jobs: int = 4

    def takes(self, check: Check) -> bool:
        by_rule = not self.rules or not self.rules.isdisjoint(check.ids)
        return by_rule and (not self.families or not self.families.isdisjoint(map(family, check.ids)))

    def speaks(self, dialect: Dialect | None) -> bool:
        return dialect is None or not self.dialects or any(dialect.startswith(one) for one in self.dialects)


Case = tuple[Check, Dialect | None]


def cases(choice: Choice, checks: Iterable[Check] = SUITE) -> list[Case]:
    found: list[Case] = []
    for check in checks:
        if choice.takes(check):
            found += [(check, dialect) for dialect in check.dialects or (None,) if choice.speaks(dialect)]
    return found


async def conform(
    url: str, choice: Choice, tokens: dict[str, str] | None = None, told: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Every case once, in the order of the rules. Raises Unreachable."""
    limits = httpx2.Limits(max_connections=choice.jobs * 8, keepalive_expiry=IDLE_S)
    async with httpx2.AsyncClient(base_url=url.rstrip("/"), timeout=HTTP_PATIENCE_S, limits=limits) as http:
        target = Target(url.rstrip("/"), http, tokens or {})
        await target.look()
        target.dialects = await offered(target, choice)
        return await _all(target, choice, cases(choice), told)


async def offered(target: Target, choice: Choice) -> tuple[Dialect, ...]:
    """What `GET /` lists, or else what a socket of each dialect begins with."""
    listed = target.about.get("dialects")
    if isinstance(listed, list):
        found = [dialect for dialect in Dialect if dialect.removesuffix(".msgpack") in listed]
    else:
        found = [dialect for dialect in Dialect if await _answers(target, dialect, choice.patience_s)]
    return tuple(dialect for dialect in found if choice.speaks(dialect))


async def _answers(target: Target, dialect: Dialect, patience_s: float) -> bool:
    stage = Stage(target, dialect, patience_s)
    try:
        await (await stage.meeting()).join("bob")
    except (Broken, *CONNECTION):
        return False
    finally:
        await stage.over()
    return True


async def _all(target: Target, choice: Choice, wanted: Sequence[Case], told: Callable[[Result], None]) -> list[Result]:
    try:
        for name in ("alice", "bob"):
            await target.person(name)
    except Broken as fault:
        raise Unreachable(f"Nobody can sign in: {fault}.") from None
    waiting = deque(enumerate(wanted))
    results: dict[int, Result] = {}

    async def work() -> None:
        while waiting:
            place, (check, dialect) = waiting.popleft()
            results[place] = result = await one(target, choice, check, dialect)
            told(result)

    async with asyncio.TaskGroup() as group:
        for _ in range(choice.jobs):
            group.create_task(work())
    return [results[place] for place in sorted(results)]


async def one(target: Target, choice: Choice, check: Check, dialect: Dialect | None) -> Result:
    if dialect is not None and dialect not in target.dialects:
        return Result(check, dialect, Verdict.NOT_APPLICABLE, f"the server does not offer {dialect}")
    if check.slow_s and not choice.slow:
        return Result(check, dialect, Verdict.NOT_APPLICABLE, f"takes {check.slow_s:.0f} s: --slow")
    stage = Stage(target, dialect, choice.patience_s)
    begun = time.monotonic()
    try:
        verdict, text = await _played(stage, check, WHOLE * choice.patience_s + check.slow_s)
        seconds, trace = time.monotonic() - begun, tuple(stage.trace.lines)
    finally:
        # an interrupt, too, leaves nothing behind
        await stage.over()
    return Result(check, dialect, verdict, redacted(text), trace, round(seconds, 3))


async def _played(stage: Stage, check: Check, budget_s: float) -> tuple[Verdict, str]:
    try:
        async with asyncio.timeout(budget_s):
            await check.run(stage)
    except NotApplicable as reason:
        return Verdict.NOT_APPLICABLE, str(reason)
    except (Broken, TimeoutError, *CONNECTION, *SHAPE) as error:
        return _verdict(error, budget_s)
    except ExceptionGroup as several:
        # what was tried at the same time
        return _verdict(several.exceptions[0], budget_s)
    return Verdict.PASSED, ""


def _verdict(error: Exception, budget_s: float) -> tuple[Verdict, str]:
    match error:
        case Broken():
            return Verdict.FAILED, str(error)
        case TimeoutError():
            return Verdict.UNDECIDED, f"too slow: was not over after {budget_s:.0f} s"
        case httpx2.TimeoutException():
            return Verdict.UNDECIDED, f"too slow: no answer by REST after {HTTP_PATIENCE_S:.0f} s"
    what = "the connection failed" if isinstance(error, CONNECTION) else "an answer is not of its published shape"
    return Verdict.FAILED, f"{what}: {type(error).__name__} {error}"
