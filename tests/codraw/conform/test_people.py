from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from codraw.conform.people import Person, Target, Unreachable, ask, json_of
from codraw.conform.rules import Broken, NotApplicable
from codraw.conform.wire import Trace

ME = {"principal_type": "user", "provider": "test", "provider_id": "al", "email": "al@x", "display_name": "Al"}


def target(answers: dict[str, Any], tokens: dict[str, str] | None = None) -> Target:
    def answer(request: httpx2.Request) -> httpx2.Response:
        found = answers.get(request.url.path)
        return httpx2.Response(404) if found is None else httpx2.Response(200, json=found)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://there")
    return Target("http://there", http, tokens or {})


TEST = {"/": {"limits": {"a": 1}}, "/oauth2/providers": {"providers": [{"id": "test"}]}}
SIGN_IN = {**TEST, "/oauth2/authorize": {"access_token": "t"}, "/me": {**ME, "more": 1}}


async def test_a_person_is_signed_in_once_for_the_run() -> None:
    there = target(SIGN_IN)
    await there.look()
    alice = await there.person("alice")
    assert alice is await there.person("alice")
    assert (alice.token, alice.user, alice.id, alice.email) == ("t", ME, "test:al", "al@x")
    assert there.limits == {"a": 1}


async def test_without_a_test_provider_tokens_must_be_given() -> None:
    with pytest.raises(Unreachable, match="give --token"):
        await target({"/": {}}).look()


async def test_a_person_without_a_token_is_not_there() -> None:
    there = target(SIGN_IN, {"alice": "given"})
    await there.look()
    assert (await there.person("alice")).token == "given"
    with pytest.raises(NotApplicable, match="--token bob"):
        await there.person("bob")


async def test_a_sign_in_that_fails_is_told() -> None:
    there = target({**TEST})
    await there.look()
    with pytest.raises(Broken, match="404"):
        await there.person("alice")


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(refuse), base_url="http://there")
    with pytest.raises(Unreachable, match="does not answer"):
        await Target("http://there", http).look()


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("POST", 1)])
async def test_what_changes_nothing_is_asked_again_on_a_closed_connection(method: str, tries: int) -> None:
    seen: list[httpx2.Request] = []

    def disconnect(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        raise httpx2.RemoteProtocolError("Server disconnected without sending a response.")

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(disconnect), base_url="http://there")
    with pytest.raises(httpx2.RemoteProtocolError):
        await ask(http, Trace(), None, method, "/x")
    assert len(seen) == tries


async def test_S75_who_asked_too_often_asks_again_when_the_server_says() -> None:
    refusal = httpx2.Response(429, headers={"Retry-After": "0"}, json={"error": "rate_limit_exceeded"})
    answers = [refusal, refusal, httpx2.Response(201, text="made")]
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: answers.pop(0)), base_url="http://there")
    assert (await ask(http, Trace(), None, "POST", "/x", {})).status_code == 201
    assert not answers


async def test_a_call_is_traced_and_carries_the_token() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(201, text="made")

    send: Callable[[httpx2.Request], httpx2.Response] = answer
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(send), base_url="http://there")
    trace = Trace()
    await ask(http, trace, Person("al", "t", ME), "PUT", "/x", b"raw", If_Match='"1"')
    headers = seen[0].headers
    sent = (headers["authorization"], headers["if-match"], headers["content-type"])
    assert sent == ("Bearer t", '"1"', "application/json")
    assert [line.split()[0] for line in trace.lines] == ["al/REST", "al/REST"]


def test_a_body_that_is_no_object_is_an_empty_one() -> None:
    assert json_of(httpx2.Response(200, json=[1])) == json_of(httpx2.Response(200, text="x")) == {}


def test_an_entry_names_the_user_and_the_role() -> None:
    assert Person("al", "t", ME).entry("reader") == {**ME, "role": "reader"}
