"""People of the server under test: who signs in how, and what they say over REST."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from codraw.conform.rules import Broken, Dialect, NotApplicable
from codraw.conform.wire import Trace, redacted

PROVIDER = "test"
SAFE = ("GET", "HEAD")
TOO_OFTEN = 429
LIMITED_S = 60.0
"""Who is told for longer to come back later is refused."""
NAMES = ("alice", "bob", "carol", "dave", "erin")
"""Host and owner; two writers; a reader; a stranger."""


class Unreachable(Exception):
    """There is no server to test, or nobody can sign in."""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    token: str
    user: Mapping[str, Any]

    @property
    def email(self) -> str:
        return str(self.user["email"])

    @property
    def id(self) -> str:
        return f"{self.user['provider']}:{self.user['provider_id']}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def entry(self, role: str) -> dict[str, Any]:
        """Of an authorization list."""
        return {**self.user, "role": role}


@dataclass(slots=True)
class Target:
    """The server under test, and what it says of itself in `GET /`."""

    url: str
    http: httpx2.AsyncClient
    tokens: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    dialects: tuple[Dialect, ...] = ()
    providers: frozenset[str] = frozenset()
    people: dict[str, Person] = field(default_factory=dict)
    run: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def limits(self) -> Mapping[str, Any]:
        found = self.about.get("limits")
        return found if isinstance(found, dict) else {}

    async def look(self) -> None:
        """Raises Unreachable."""
        try:
            about = await self.http.get("/", headers={"Accept": "application/json"})
            providers = await self.http.get("/oauth2/providers")
        except httpx2.TransportError as error:
            raise Unreachable(f"{self.url} does not answer ({error}).") from None
        self.about = json_of(about)
        self.providers = frozenset(str(one.get("id")) for one in json_of(providers).get("providers", ()))
        if not self.tokens and PROVIDER not in self.providers:
            raise Unreachable(f"{self.url} has no test provider: give --token alice=… --token bob=…")

    async def person(self, role: str) -> Person:
        """One of NAMES, signed in once for the whole run."""
        if role not in self.people:
            self.people[role] = await self._arrive(role)
        return self.people[role]

    async def _arrive(self, role: str) -> Person:
        if role in self.tokens:
            return await self._known(role, self.tokens[role])
        if self.tokens or PROVIDER not in self.providers:
            raise NotApplicable(f"nobody stands for {role}: give --token {role}=…")
        return await self.newcomer(role)

    async def newcomer(self, name: str) -> Person:
        """A login of its own at the test provider."""
        if PROVIDER not in self.providers:
            raise NotApplicable("needs a test provider, for a login of its own")
        return (await self.login(name))[0]

    async def login(self, name: str) -> tuple[Person, Mapping[str, Any]]:
        """Person and token body, by the redirects of the authorization code flow."""
        question = {"idp": PROVIDER, "login_hint": f"{name}-{self.run}"}
        answer = await sent(self.http, "GET", "/oauth2/authorize", params=question, follow_redirects=True)
        body = json_of(answer)
        if answer.status_code != 200 or "access_token" not in body:
            raise Broken(f"the sign-in of {name} at the test provider came to {_shown(answer)}")
        return await self._known(name, str(body["access_token"])), body

    async def _known(self, name: str, token: str) -> Person:
        answer = await sent(self.http, "GET", "/me", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 200:
            raise Broken(f"GET /me with the token of {name} came to {_shown(answer)}")
        me = json_of(answer)
        keys = ("principal_type", "provider", "provider_id", "email", "display_name")
        return Person(name, token, {key: me[key] for key in keys if key in me})


def _shown(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {redacted(answer.text)[:200]}"


async def sent(http: httpx2.AsyncClient, method: str, path: str, **more: Any) -> httpx2.Response:
    """What a server refuses because it was asked too often is asked again when it says: that breaks no rule."""
    over_s = time.monotonic() + LIMITED_S
    answer = await _sent(http, method, path, **more)
    while answer.status_code == TOO_OFTEN and time.monotonic() < over_s:
        told = answer.headers.get("Retry-After", "")
        await asyncio.sleep(min(float(told), LIMITED_S) if told.isdecimal() else 1.0)
        answer = await _sent(http, method, path, **more)
    return answer


async def _sent(http: httpx2.AsyncClient, method: str, path: str, **more: Any) -> httpx2.Response:
    """A server may close an idle connection just when it is used again: what changes nothing is asked once more."""
    try:
        return await http.request(method, path, **more)
    except httpx2.RemoteProtocolError:
        if method not in SAFE:
            raise
        return await http.request(method, path, **more)


def json_of(answer: httpx2.Response) -> dict[str, Any]:
    """Its object; what is none is an empty one."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def ask(
    http: httpx2.AsyncClient,
    trace: Trace,
    person: Person | None,
    method: str,
    path: str,
    body: Any = None,
    **headers: str,
) -> httpx2.Response:
    """Header names with `_` for `-`. A body that is bytes goes as it is."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if person is not None:
        fields = person.headers | fields
    name = person.name if person is not None else "nobody"
    trace.note(f"{name}/REST", ">>", f"{method} {path} {'' if body is None else body}")
    if isinstance(body, bytes):
        fields = {"Content-Type": "application/json"} | fields
        answer = await sent(http, method, path, content=body, headers=fields)
    else:
        answer = await sent(http, method, path, json=body, headers=fields)
    trace.note(f"{name}/REST", "<<", f"{answer.status_code} {answer.text}")
    return answer
