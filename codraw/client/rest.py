"""A codraw server over REST: signing in, what there is, sessions, tickets, operations; the way into live diagrams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx2
import msgspec

from codraw.client.changes import Change, Entry, Unfit, canonical, entries
from codraw.client.errors import RestError, Unintelligible, Unreachable
from codraw.client.live import LiveDiagram
from codraw.client.messages import OperationRejected
from codraw.client.outcomes import Accepted, Rejected
from codraw.client.returning import Backoff
from collab.tasks import Tasks
from protocol.codec import MAX_NUMBER
from protocol.dialects.codraw_v1_messages import OperationAccepted
from protocol.values import Limits

Resource = dict[str, Any]
"""As `openapi.yml` describes it; unknown members are kept."""
S = TypeVar("S")

TIMEOUT_S = 30.0
ATTEMPTS = 3
PAGE = 1_000
TRANSIENT = frozenset({429, 503})
AWAY_S = 1.0


class Server:
    """`async with Server("http://127.0.0.1:8080", token=…) as server`.

    `token` is an access token; with a `refresh_token` beside it, or after signing in here, the login is prolonged by
    itself. Calls raise RestError for a refusal, Unreachable where nobody answers. What may be repeated is tried three
    times, patiently.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        refresh_token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise Unreachable(f"{url} is no address of a server: it must start with http:// or https://")
        self.url = url.rstrip("/")
        self.token = token
        self.refresh_token = refresh_token
        self._timeout_s, self._sleep = timeout_s, sleep
        self._http: httpx2.AsyncClient | None = None
        self._tasks = Tasks(lambda name, error: None)  # whoever waits hears of it
        self._refreshing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connections of REST. Live diagrams that were opened from here stay as they are: leave them first."""
        await self._tasks.close()
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    # who we are -------------------------------------------------------------------------------------------------------

    async def sign_in_as(self, name: str) -> Self:
        """Development only: any name will do."""
        question = {"idp": "test", "login_hint": name}
        # A client of its own: the cookies of the way there would say a second time, and perhaps otherwise, who we are.
        try:
            async with self._client(follow_redirects=True) as browser:
                answer = await browser.get(f"{self.url}/oauth2/authorize", params=question)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _unreachable(self.url, error) from None
        self._take(_body(answer))
        return self

    async def refresh(self) -> None:
        """New tokens for old; one request however many ask. Who stops waiting takes the answer from nobody: the old
        token soon counts no more."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = self._tasks.start("client refresh", self._refresh())
        refreshing = self._refreshing
        await asyncio.wait((refreshing,))
        if refreshing.cancelled():
            raise Unreachable(f"{self.url} was left before it answered")
        refreshing.result()

    async def _refresh(self) -> None:
        """Who has signed out or in meanwhile stays so."""
        shown = self.refresh_token
        tokens = await self._send("POST", "/oauth2/refresh", json={"refresh_token": shown})
        if self.refresh_token == shown:
            self._take(tokens)

    async def sign_out(self) -> None:
        await self.request("POST", "/me/logout")
        self.token = self.refresh_token = None

    async def me(self) -> Resource:
        return await self._object("GET", "/me")

    # what there is ----------------------------------------------------------------------------------------------------

    async def threat_models(self) -> list[Resource]:
        """All that we may see."""
        return await self._all("/threat_models")

    async def threat_model(self, id: str) -> Resource:
        return await self._object("GET", _path(id))

    async def create_threat_model(self, name: str, *, everyone: str | None = None, **fields: Any) -> Resource:
        """`everyone`: reader or writer, for all who can sign in. `fields`: others of the model."""
        entry = {"subject": "everyone", "subject_type": "group", "role": everyone}
        given = {"authorization": [entry]} if everyone else {}
        return await self._object("POST", "/threat_models", json={"name": name, **given, **fields})

    async def diagrams(self, threat_model: str) -> list[Resource]:
        return await self._all(f"{_path(threat_model)}/diagrams")

    async def diagram(self, threat_model: str, diagram: str) -> Resource:
        """With its cells and `update_vector`."""
        return await self._object("GET", _path(threat_model, diagram))

    async def create_diagram(self, threat_model: str, name: str, **fields: Any) -> Resource:
        body = {"name": name, "type": "DFD-1.0.0", **fields}
        return await self._object("POST", f"{_path(threat_model)}/diagrams", json=body)

    async def delete(self, threat_model: str, diagram: str | None = None) -> None:
        """The diagram, or the whole threat model."""
        await self.request("DELETE", _path(threat_model, diagram))

    # one operation ----------------------------------------------------------------------------------------------------

    async def edit(
        self,
        threat_model: str,
        diagram: str,
        changes: Iterable[Change | Entry],
        *,
        base_vector: int | None = None,
        strict: bool = False,
        group_id: str | None = None,
        operation_id: str | None = None,
    ) -> Accepted | Rejected:
        """One operation, whether a session lives or not. Repeated with the same `operation_id` it counts once.

        `strict` with `base_vector`: refused where somebody else has changed one of the cells since then.
        """
        id = operation_id or str(uuid4())
        try:
            cells = entries(canonical(changes, _UNLIMITED, free_ids=True))
        except Unfit as unfit:
            refusal = unfit.refusal
            return _rejected(id, refusal.reason, refusal.message, refusal.affected)
        optional = {"base_vector": base_vector, "strict": strict or None, "group_id": group_id}
        body = {
            "operation_id": id,
            "operation": {"type": "patch", "cells": cells},
            **{key: value for key, value in optional.items() if value is not None},
        }
        try:
            told = await self.request("POST", f"{_path(threat_model, diagram)}/operations", json=body, repeatable=True)
        except RestError as error:
            return _judged(id, error)
        receipt = self._shaped(told, OperationAccepted)
        return Accepted(operation_id=id, vector=receipt.update_vector, changed=receipt.changed)

    # going live -------------------------------------------------------------------------------------------------------

    async def create_session(self, threat_model: str, diagram: str) -> Resource:
        """RestError of status 409 where one lives; takes writing rights."""
        return await self._object("POST", f"{_path(threat_model, diagram)}/collaborate")

    async def join_session(self, threat_model: str, diagram: str) -> Resource:
        """RestError of status 404 where none lives."""
        return await self._object("PUT", f"{_path(threat_model, diagram)}/collaborate")

    async def session(self, threat_model: str, diagram: str) -> Resource:
        return await self._object("GET", f"{_path(threat_model, diagram)}/collaborate")

    async def enter_session(self, threat_model: str, diagram: str) -> Resource:
        """Joined where one lives, else begun by us."""
        try:
            return await self.join_session(threat_model, diagram)
        except RestError as error:
            if error.status != 404:
                raise
        try:
            return await self.create_session(threat_model, diagram)
        except RestError as error:
            if error.status != 409:
                raise
        return await self.join_session(threat_model, diagram)

    async def leave_session(self, threat_model: str, diagram: str, *, end: bool = False) -> None:
        """Our sockets are closed; of the host, and with `end` of an owner, the session ends for all."""
        params = {"end": "true"} if end else None
        await self.request("DELETE", f"{_path(threat_model, diagram)}/collaborate", params=params)

    async def ticket(self, session: str) -> str:
        """For one socket, within half a minute."""
        return self._shaped(await self.request("GET", "/ws/ticket", params={"session_id": session}), _Ticket).ticket

    def open(
        self,
        threat_model: str,
        diagram: str,
        *,
        create: bool = True,
        encoding: Literal["json", "msgpack"] = "json",
        backoff: Backoff | None = None,
    ) -> LiveDiagram:
        """`async with server.open(threat_model, diagram) as live`. `create`: where no session lives, begin one."""
        url = f"ws{self.url.removeprefix('http')}{_path(threat_model, diagram)}/ws"

        async def session() -> str:
            enter = self.enter_session if create else self.join_session
            return self._shaped(await enter(threat_model, diagram), _Session).session_id

        async def ticket(wants: Literal["connect", "reauthenticate", "refresh"]) -> str:
            if wants != "connect" and self.refresh_token is not None:
                await self.refresh()
            entered = await session()
            try:
                return await self.ticket(entered)
            except RestError as error:
                if error.status != 404:
                    raise
            # What we entered was just ending, as after a host who comes back at once; the next one does not.
            return await self.ticket(await session())

        return LiveDiagram(url, ticket, encoding=encoding, backoff=backoff)

    # the calls themselves ---------------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Any call, as we are signed in: what the answer holds, None where it is empty; of a picture its bytes. Raises
        RestError, Unreachable.

        `repeatable`: twice is as good as once; by default of all methods but POST and PATCH.
        """
        again = method not in ("POST", "PATCH") if repeatable is None else repeatable
        more = {"json": json, "params": params, "headers": headers}
        try:
            return await self._patiently(again, method, path, **more)
        except RestError as error:
            if error.status != 401 or self.refresh_token is None:
                raise
        await self.refresh()
        return await self._patiently(again, method, path, **more)

    async def _patiently(self, repeatable: bool, method: str, path: str, **more: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send(method, path, **more)
            except (RestError, Unreachable) as error:
                wait_s = _wait_s(error, attempt)
                if wait_s is None or not repeatable or attempt == ATTEMPTS:
                    raise
            await self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _send(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        if self._http is None:
            self._http = self._client()
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = await self._http.request(method, self.url + path, headers={**bearer, **(headers or {})}, **more)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _unreachable(self.url, error) from None
        self._http.cookies.clear()
        return _body(answer)

    async def _object(self, method: str, path: str, **more: Any) -> Resource:
        return self._shaped(await self.request(method, path, **more), Resource)

    def _shaped(self, body: Any, kind: type[S]) -> S:
        try:
            return msgspec.convert(body, kind)
        except msgspec.ValidationError:
            raise Unintelligible(f"{self.url} does not answer as codraw does") from None

    async def _all(self, path: str) -> list[Resource]:
        found: list[Resource] = []
        while True:
            page = self._shaped(await self.request("GET", path, params={"limit": PAGE, "offset": len(found)}), _Page)
            found += page.items
            if not page.items or len(found) >= page.total:
                return found

    def _client(self, **more: Any) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(timeout=self._timeout_s, **more)

    def _take(self, tokens: Any) -> None:
        taken = self._shaped(tokens, _Tokens)
        self.token, self.refresh_token = taken.access_token, taken.refresh_token


_UNLIMITED = Limits(max_cells_per_operation=MAX_NUMBER, max_cell_bytes=MAX_NUMBER, min_node_width=0, min_node_height=0)
"""Which limits are in force a live diagram is told; here the server says what is too much."""


class _Tokens(msgspec.Struct):
    access_token: str
    refresh_token: str | None = None


class _Page(msgspec.Struct):
    items: list[Resource]
    total: int


class _Session(msgspec.Struct):
    session_id: str


class _Ticket(msgspec.Struct):
    ticket: str


def _path(threat_model: str, diagram: str | None = None) -> str:
    model = f"/threat_models/{quote(threat_model, safe='')}"
    return model if diagram is None else f"{model}/diagrams/{quote(diagram, safe='')}"


def _wait_s(error: RestError | Unreachable, attempt: int) -> float | None:
    """None: again is of no use."""
    asked = error.retry_after_s if isinstance(error, RestError) else None
    if isinstance(error, RestError) and error.status not in TRANSIENT and asked is None:
        return None
    return 0.5 * 2.0**attempt if asked is None else asked


def _unreachable(url: str, error: Exception) -> Unreachable | Unintelligible:
    # An answer that was cut off is a fault of the protocol, too: of the other side, as it is called there.
    if isinstance(error, httpx2.LocalProtocolError | httpx2.DecodingError):
        return Unintelligible(f"{url} does not answer as codraw does")
    return Unreachable(f"{url} does not answer ({str(error) or type(error).__name__})")


def _body(answer: httpx2.Response) -> Any:
    body = _value(answer)
    if answer.is_success:
        return body
    after = answer.headers.get("Retry-After", "")
    told = body if isinstance(body, dict) else {}
    # What does not speak as the server does stands before it: a balancer that knows no server says 404, too.
    is_ours = "error" in told or answer.request.method == "HEAD"
    away_s = AWAY_S if answer.is_client_error and not is_ours else None
    raise RestError(answer.status_code, told, float(after) if after.isdigit() else away_s)


def _value(answer: httpx2.Response) -> Any:
    if not answer.content:
        return None
    if answer.is_success and answer.headers.get("Content-Type", "").startswith("image/"):
        return answer.content
    try:
        return msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        if answer.is_success:
            raise Unintelligible(f"{answer.url.host} does not answer as codraw does") from None
        return None


def _judged(id: str, error: RestError) -> Rejected:
    """A refusal of the operation; any other is raised again, and so is one that is no judgement: it may yet happen, or
    have happened."""
    try:
        said = msgspec.convert(error.details, OperationRejected)
    except msgspec.ValidationError:
        raise error from None
    if said.retry:
        raise error
    return _rejected(id, said.reason, said.message, said.affected_cells, said.current_cells)


def _rejected(id: str, reason: str, message: str, affected: Any = (), current: Any = ()) -> Rejected:
    return Rejected(
        operation_id=id, reason=str(reason), message=message, affected_cells=affected, current_cells=current
    )
