"""All editors of a run: they come in at a steady pace, and whoever loses the connection comes back."""

from __future__ import annotations

import asyncio
import ssl
from itertools import count
from time import perf_counter
from urllib.parse import SplitResult, urlencode, urlsplit

from codraw.client import CodrawError
from codraw.load.board import Board
from codraw.load.editor import Editor
from codraw.load.frames import upgrade
from codraw.load.line import Line
from codraw.load.measures import Measures
from codraw.load.plan import Plan
from codraw.load.scenarios import chance_of
from codraw.load.stage import Person, Stage, Unready, allowed
from codraw.load.wire import Dialect
from collab.tasks import Tasks

DIAL_S = 30.0
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
TOKEN_OVER = (401, 4401)
REFUSALS = ("dial: ", "goodbye ", "upgrade refused ", "error ", "token ")
COME_IN_S = 30.0
"""After so long in which nobody more was let in, nobody will be."""


class Crew:
    """`closes` of a connection that was live, and refused dials, are counted; nobody gives up before `dismiss`."""

    def __init__(self, plan: Plan, stage: Stage, measures: Measures, tasks: Tasks) -> None:
        self.plan, self.stage, self.measures = plan, stage, measures
        self.editors: list[Editor] = []
        self.writers: list[Editor] = []
        """All but the witnesses; the first of each diagram is its host."""
        self.is_over = False
        self.patience_s = COME_IN_S
        self._people: dict[str, Person] = {}
        self._places: dict[str, int] = {}
        self._tasks = tasks
        self._chance = chance_of(plan.seed, "crew")
        self._returning: set[str] = set()

    def hire(self) -> None:
        """The editors of a diagram are spread over all workers and dialects; one alone gets somebody to watch it."""
        for number in range(self.plan.editors):
            board = self.stage.boards[number % self.plan.diagrams]
            seat = number // self.plan.diagrams
            dialect = self.plan.dialects[(number + seat) % len(self.plan.dialects)]
            self.hire_one(
                f"editor {number}", dialect, board, self.stage.people[seat], number % self.plan.diagrams + seat
            )
        self.writers = list(self.editors)
        for number, board in enumerate(self.stage.boards):
            if sum(editor.dialect.is_v1 for editor in self.editors if editor.board is board) < 2:
                self.hire_one(f"witness {number}", Dialect.V1, board, self.stage.host, number)

    def hire_one(self, name: str, dialect: Dialect, board: Board, person: Person, place: int) -> Editor:
        """`place`: of the worker that it goes to first."""
        editor = Editor(name, dialect, board, self.measures, self)
        self.editors.append(editor)
        self._people[name], self._places[name] = person, place
        return editor

    async def come_in(self) -> None:
        """All of them, so many a second. Returns when everybody is there. Raises Unready."""
        begun = perf_counter()
        for number, editor in enumerate(self.editors):
            await asyncio.sleep(max(0.0, begun + number / self.plan.ramp - perf_counter()))
            self.bring(editor)
        outside, since = len(self._returning), perf_counter()
        while self._returning:
            await asyncio.sleep(0.02)
            if len(self._returning) < outside:
                outside, since = len(self._returning), perf_counter()
            elif perf_counter() - since > self.patience_s:
                raise Unready(self._who_is_in())

    def _who_is_in(self) -> str:
        told = ", ".join(f"{what} {n}" for what, n in self.measures.tally.items() if what.startswith(REFUSALS))
        return f"{len(self.editors) - len(self._returning)} of {len(self.editors)} were let in, the others not: {told}."

    def bring(self, editor: Editor) -> None:
        """Until it is there."""
        if editor.name not in self._returning:
            self._returning.add(editor.name)
            self._tasks.start("load dial", self._bring(editor))

    def lost(self, editor: Editor, code: int) -> None:
        if self.is_over or not editor.wants_in:
            return
        self.measures.closes[code] += 1
        self.bring(editor)

    async def _bring(self, editor: Editor) -> None:
        try:
            for attempt in count():
                if self.is_over or not editor.wants_in or await self.dial(editor):
                    return
                wait_s = min(SHORTEST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
                await asyncio.sleep(wait_s * self._chance.uniform(0.5, 1.5))
        finally:
            self._returning.discard(editor.name)

    async def dial(self, editor: Editor) -> bool:
        """One attempt: whether the editor is in and has all it missed."""
        place = self._places[editor.name] % len(self.plan.urls)
        self._places[editor.name] += 1
        person, where = self._people[editor.name], urlsplit(self.plan.urls[place])
        editor.dialled_at = perf_counter()
        editor.synced = asyncio.get_running_loop().create_future()
        try:
            request = await self._request(editor, person, place, where)
            tls = ssl.create_default_context() if where.scheme == "https" else None
            port = where.port or (443 if tls else 80)
            loop = asyncio.get_running_loop()
            _, line = await loop.create_connection(lambda: Line(editor, request), where.hostname or "", port, ssl=tls)
            async with asyncio.timeout(DIAL_S):
                is_in = await editor.synced
        except (OSError, TimeoutError, CodrawError) as error:
            self.measures.tally[f"dial: {type(error).__name__}"] += 1
            if editor.line is not None:
                editor.line.cut()
            return False
        finally:
            editor.synced = None
        if not is_in:
            await self._refused(editor, line, person)
        return is_in

    async def _request(self, editor: Editor, person: Person, place: int, where: SplitResult) -> bytes:
        headers, query = dict(editor.dialect.headers), {**editor.dialect.query, **editor.resume}
        if self.plan.tickets:
            server, session = person.servers[place], editor.board.session
            query["ticket"] = await allowed(lambda: server.ticket(session), self.measures)
        else:
            headers["Authorization"] = f"Bearer {person.home.token}"
        path = f"{where.path.rstrip('/')}/threat_models/{editor.board.threat_model}/diagrams/{editor.board.diagram}/ws"
        target = f"{path}?{urlencode(query)}" if query else path
        return upgrade(where.netloc, target, headers)

    async def _refused(self, editor: Editor, line: Line, person: Person) -> None:
        self.measures.tally[f"dial: closed {line.code}"] += 1
        if line.status in TOKEN_OVER or line.code in TOKEN_OVER:
            try:
                await person.renew()
            except CodrawError:
                self.measures.tally["token not renewed"] += 1

    async def dismiss(self) -> None:
        """Everybody leaves, politely first."""
        self.is_over = True
        for editor in self.editors:
            editor.recover()
            if editor.line is not None:
                editor.line.leave()
        await self.gone(2.0)
        self.cut()
        await self.gone(1.0)

    def cut(self) -> None:
        """Whoever is still connected is so no longer, and nobody comes back."""
        self.is_over = True
        for editor in self.editors:
            if editor.line is not None:
                editor.line.cut()

    async def gone(self, patience_s: float) -> None:
        give_up = perf_counter() + patience_s
        while perf_counter() < give_up and any(editor.line is not None for editor in self.editors):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
