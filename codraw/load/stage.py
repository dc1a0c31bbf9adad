"""What a run plays on: people who are signed in, a threat model of its own, diagrams and their live sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter
from typing import TypeVar

import msgspec

from codraw.client import CodrawError, Replica, RestError, Server
from codraw.client.messages import State
from codraw.load.board import Board
from codraw.load.measures import Measures
from codraw.load.scenarios import SEEDED, chance_of, node, uuid
from collab.tasks import Tasks

T = TypeVar("T")
AT_ONCE = 16
"""So many REST calls are under way at a time."""
TOO_OFTEN = 429


class Unready(Exception):
    """The server is not there, or does not let us in: one sentence."""


class Worker(Server):
    """Another one, for somebody who is signed in at `home`: who used a refresh token twice would be signed out."""

    def __init__(self, url: str, home: Server) -> None:
        super().__init__(url, token=home.token, refresh_token=home.refresh_token)
        self._home = home

    async def refresh(self) -> None:
        if self.token == self._home.token:
            await self._home.refresh()
        self.token, self.refresh_token = self._home.token, self._home.refresh_token


class Person:
    """Signed in; the same token serves at every worker."""

    def __init__(self, urls: Sequence[str], home: Server) -> None:
        self.home = home
        self.servers = [home, *(Worker(url, home) for url in urls[1:])]

    async def renew(self) -> None:
        """A new token for all of them."""
        await self.home.refresh()
        for server in self.servers:
            server.token, server.refresh_token = self.home.token, self.home.refresh_token


class Shown(msgspec.Struct, frozen=True):
    """A diagram as GET of one worker has it."""

    vector: int
    state_hash: str
    order: list[str]


class Stage:
    """`urls`: the workers, or a balancer before them."""

    def __init__(self, urls: Sequence[str], tokens: Sequence[str], seed: int, measures: Measures, tasks: Tasks) -> None:
        self.urls, self.tokens, self.measures = urls, tokens, measures
        self.people: list[Person] = []
        self.boards: list[Board] = []
        self.shared: list[list[str]] = []
        self.threat_model = ""
        self._chance = chance_of(seed, "stage")
        self._tasks = tasks

    async def build(self, people: int, diagrams: int, *, live: bool = True) -> None:
        """Raises Unready."""
        try:
            await self._sign_in(people)
            home = self.host.home
            model = await allowed(lambda: home.create_threat_model("load", everyone="writer"), self.measures)
            self.threat_model = str(model["id"])
            await each(self._tasks, range(diagrams), lambda _: self._diagram(live))
        except CodrawError as error:
            raise Unready(_why(error, with_tokens=bool(self.tokens))) from None

    @property
    def host(self) -> Person:
        return self.people[0]

    async def _sign_in(self, people: int) -> None:
        if self.tokens:
            self.people = [Person(self.urls, Server(self.urls[0], token=token)) for token in self.tokens]
            return

        async def one(number: int) -> Person:
            return Person(self.urls, await Server(self.urls[0]).sign_in_as(f"load-{number}"))

        self.people = await each(self._tasks, range(people), one)

    async def _diagram(self, live: bool) -> None:
        shared = [uuid(self._chance) for _ in range(SEEDED)]
        cells = [node(id, self._chance) for id in shared]
        name = f"load {len(self.boards)}"
        home, model, measures = self.host.home, self.threat_model, self.measures
        made = await allowed(lambda: home.create_diagram(model, name, cells=cells), measures)
        diagram, session = str(made["id"]), ""
        if live:
            session = str((await allowed(lambda: home.create_session(model, diagram), measures))["session_id"])
        self.boards.append(Board(self.threat_model, diagram, session, self.measures))
        self.shared.append(shared)

    async def shown(self, board: Board, place: int) -> Shown:
        """Raises CodrawError."""
        body = await self.host.servers[place].diagram(board.threat_model, board.diagram)
        copy = Replica()
        copy.show(State("", int(body["update_vector"]), "", "", True, body["cells"]))
        return Shown(copy.confirmed.vector, copy.state_hash, list(copy.confirmed.order()))

    async def strike(self, *, keep: bool = False) -> None:
        """Ends the sessions and takes everything away again, as far as the server still lets us."""

        async def end(board: Board) -> None:
            model, diagram = board.threat_model, board.diagram
            try:
                await allowed(lambda: home.leave_session(model, diagram, end=True), self.measures)
            except CodrawError:
                self.measures.tally["sessions not ended"] += 1

        try:
            if self.threat_model and not keep:
                home = self.host.home
                await each(self._tasks, self.boards, end)
                await allowed(lambda: home.delete(self.threat_model), self.measures)
        except CodrawError as error:
            self.measures.tally[f"not taken away: {_why(error)}"] += 1
        for person in self.people:
            for server in person.servers:
                await server.close()


def _why(error: CodrawError, *, with_tokens: bool = False) -> str:
    if isinstance(error, RestError) and error.status == 401 and with_tokens:
        return "The server refused with 401: a --token is over, or not of this server."
    if isinstance(error, RestError) and error.status in (401, 403, 404) and not with_tokens:
        return f"The server refused with {error.status}: without --dev it has no test provider, give --token."
    return f"{error}."


async def allowed(ask: Callable[[], Awaitable[T]], measures: Measures, step: str | None = None) -> T:
    """Who is told to come later does. `step`: timed under this name, without the waits."""
    while True:
        begun = perf_counter()
        try:
            answer = await ask()
        except RestError as error:
            if error.status != TOO_OFTEN:
                raise
            measures.tally["waits for a rate limit"] += 1
            await asyncio.sleep(error.retry_after_s or 1)
        else:
            if step is not None:
                measures.step(step).add(perf_counter() - begun)
            return answer


async def each(
    tasks: Tasks, items: Iterable[object], work: Callable[..., Awaitable[T]], at_once: int = AT_ONCE
) -> list[T]:
    """`work` on each of them, so many at a time; the first failure is raised once all have ended. Cancelled as one."""
    waiting = list(enumerate(items))[::-1]
    found: dict[int, T] = {}

    async def worker() -> None:
        while waiting:
            place, item = waiting.pop()
            found[place] = await work(item)

    running = [tasks.start("load", worker()) for _ in range(min(at_once, len(waiting)))]
    try:
        if running:
            await asyncio.wait(running)
    except asyncio.CancelledError:
        for one in running:
            one.cancel()
        raise
    for one in running:
        one.result()
    return [found[place] for place in sorted(found)]
