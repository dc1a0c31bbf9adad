from __future__ import annotations

import asyncio

import httpx2
import pytest

from codraw.conform import run
from codraw.conform.people import Person, Unreachable
from codraw.conform.rules import Broken, Check, Dialect, Function, NotApplicable
from codraw.conform.run import Choice, Result, Verdict, cases, offered, one
from codraw.conform.stage import Stage
from tests.codraw.conform.test_people import ME, target


async def passes(stage: Stage) -> None: ...


async def breaks(stage: Stage) -> None:
    stage.trace.note("bo", "<<", "frame")
    raise Broken("no frame came")


async def asks_too_much(stage: Stage) -> None:
    raise NotApplicable("nobody there")


async def trips(stage: Stage) -> None:
    raise KeyError("update_vector")


async def breaks_twice_at_once(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(breaks(stage))


async def hangs(stage: Stage) -> None:
    await asyncio.Event().wait()


async def waits_for_rest(stage: Stage) -> None:
    raise httpx2.ReadTimeout("slow")


async def hangs_twice_at_once(stage: Stage) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(hangs(stage))


async def tells_its_token(stage: Stage) -> None:
    raise Broken('came {"access_token": "opaque-words"}')


def check(function: Function = passes, ids: str = "OP1", slow_s: float = 0, *dialects: Dialect) -> Check:
    return Check(tuple(ids.split()), "something", function, dialects, slow_s)


async def result(of: Check, choice: Choice | None = None, dialect: Dialect | None = None) -> Result:
    return await one(target({}), choice or Choice(patience_s=0.001), of, dialect)


@pytest.mark.parametrize(
    ("function", "verdict", "text"),
    [
        (passes, Verdict.PASSED, ""),
        (breaks, Verdict.FAILED, "no frame came"),
        (asks_too_much, Verdict.NOT_APPLICABLE, "nobody there"),
        (trips, Verdict.FAILED, "an answer is not of its published shape: KeyError 'update_vector'"),
        (breaks_twice_at_once, Verdict.FAILED, "no frame came"),
        (hangs, Verdict.UNDECIDED, "too slow: was not over after 0 s"),
        (waits_for_rest, Verdict.UNDECIDED, "too slow: no answer by REST after 30 s"),
        (hangs_twice_at_once, Verdict.UNDECIDED, "too slow: was not over after 0 s"),
        (tells_its_token, Verdict.FAILED, 'came {"access_token": "[redacted]"}'),
    ],
)
async def test_what_a_check_comes_to(function: Function, verdict: Verdict, text: str) -> None:
    found = await result(check(function))
    assert (found.verdict, found.text) == (verdict, text)


async def test_a_failed_check_keeps_its_frames() -> None:
    (line,) = (await result(check(breaks))).trace
    assert line.split() == ["bo", "<<", "frame"]


async def test_an_interrupted_check_deletes_what_it_made() -> None:
    asked: list[tuple[str, str]] = []
    begun = asyncio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, request.url.path))
        begun.set()
        await asyncio.sleep(0)
        return httpx2.Response(201, json={"id": "m"})

    there = target({}, {"alice": "given"})
    there.people["alice"] = Person("alice", "given", ME)
    there.http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://there")

    async def makes_a_model(stage: Stage) -> None:
        await stage.model(roles={})

    running = asyncio.create_task(one(there, Choice(patience_s=5), check(makes_a_model), None))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asked == [("POST", "/threat_models"), ("DELETE", "/threat_models/m")]


async def test_a_slow_check_is_asked_for() -> None:
    found = await result(check(passes, slow_s=30))
    assert (found.verdict, found.text) == (Verdict.NOT_APPLICABLE, "takes 30 s: --slow")
    assert (await result(check(passes, slow_s=30), Choice(slow=True))).verdict is Verdict.PASSED


async def test_a_dialect_that_is_not_offered_does_not_apply() -> None:
    found = await result(check(breaks), dialect=Dialect.TMI)
    assert (found.verdict, found.text) == (Verdict.NOT_APPLICABLE, "the server does not offer tmi")


async def test_a_run_without_people_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    there = target({"/": {"dialects": ["tmi"]}, "/oauth2/providers": {"providers": [{"id": "test"}]}})
    monkeypatch.setattr(run.httpx2, "AsyncClient", lambda **_: there.http)
    with pytest.raises(Unreachable, match="Nobody can sign in"):
        await run.conform("http://there", Choice())


def test_cases_are_chosen_by_rule_family_and_dialect() -> None:
    suite = [check(passes, "OP1 VEC3", 0, Dialect.TMI, Dialect.PACKED), check(passes, "SES2")]

    def chosen(**choice: frozenset[str]) -> list[tuple[str, str | None]]:
        return [(one.name, dialect) for one, dialect in cases(Choice(**choice), suite)]  # type: ignore[arg-type]

    assert chosen() == [("OP1 VEC3", "tmi"), ("OP1 VEC3", "codraw.v1.msgpack"), ("SES2", None)]
    assert chosen(rules=frozenset({"VEC3"}), dialects=frozenset({"tmi"})) == [("OP1 VEC3", "tmi")]
    assert chosen(families=frozenset({"SES"})) == [("SES2", None)]
    assert chosen(dialects=frozenset({"codraw.v1"})) == [("OP1 VEC3", "codraw.v1.msgpack"), ("SES2", None)]


async def test_the_dialects_that_the_server_lists_are_believed() -> None:
    there = target({})
    there.about = {"dialects": ["tmi", "codraw.v1"]}
    assert await offered(there, Choice()) == (Dialect.TMI, Dialect.V1, Dialect.PACKED)
    assert await offered(there, Choice(dialects=frozenset({"tmi"}))) == (Dialect.TMI,)
