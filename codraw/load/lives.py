"""The scenario `sessions`: sessions are created, joined, left and ended, many thousand times; each step is timed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from random import Random
from time import perf_counter

from codraw.client import CodrawError, RestError, Server
from codraw.load.board import Board
from codraw.load.crew import Crew
from codraw.load.editor import Editor
from codraw.load.measures import Measures
from codraw.load.plan import Plan
from codraw.load.scenarios import chance_of, node, uuid
from codraw.load.stage import Person, Stage, allowed, each
from codraw.load.wire import Dialect
from collab.tasks import Tasks

END_S = 10.0


async def live_and_end(plan: Plan, stage: Stage, measures: Measures, tasks: Tasks) -> None:
    """`plan.sessions` of them, some at a time, each on a diagram where none lives."""
    free = list(stage.boards)
    number, chance = count(), chance_of(plan.seed, "lives")

    async def life(_: object) -> None:
        diagram, crew = free.pop(), Crew(plan, stage, measures, tasks)
        try:
            if not await _live(crew, diagram, next(number) % len(plan.urls), chance):
                await _end(crew, diagram)
        except CodrawError as error:
            measures.fault("session refused", str(error))
            await _end(crew, diagram)
        finally:
            crew.cut()
            free.append(diagram)

    await each(tasks, range(plan.sessions), life, min(plan.at_once, len(stage.boards)))


async def _live(crew: Crew, diagram: Board, place: int, chance: Random) -> bool:
    """One session from its beginning to its end, on a worker; host and guest sit on this one and the next. False: it
    goes on, since they were not let in."""
    people, measures = crew.stage.people, crew.measures
    host, model, id = people[0].servers[place], diagram.threat_model, diagram.diagram
    session = str((await allowed(lambda: host.create_session(model, id), measures, "create"))["session_id"])
    board = Board(model, id, session, measures)
    first = crew.hire_one("host", Dialect.V1, board, people[0], place)
    second = crew.hire_one("guest", Dialect.V1, board, people[1], place + 1)
    if not (await _admitted(crew, first, people[0]) and await _admitted(crew, second, people[1])):
        measures.fault("not admitted", f"session {session} at {crew.plan.urls[place]}")
        return False
    cell = node(uuid(chance), chance)
    second.edit(uuid(chance), [{"id": cell.pop("id"), "operation": "add", "data": cell}], perf_counter())
    await _until(lambda: not second.pending and first.vector == second.vector, measures, "an edit in the session")
    first.wants_in = second.wants_in = False
    await _leave(second, measures)
    await allowed(lambda: host.leave_session(model, id), measures, "end")
    await _until(lambda: first.line is None, measures, "the end of the session at the host")
    await _gone(host, model, id, measures)
    return True


async def _admitted(crew: Crew, editor: Editor, person: Person) -> bool:
    """Once more where the token was over: it is another one now."""
    token = person.home.token
    return await crew.dial(editor) or (person.home.token != token and await crew.dial(editor))


async def _end(crew: Crew, diagram: Board) -> None:
    """Or no later one could begin there."""
    home, model, id = crew.stage.host.home, diagram.threat_model, diagram.diagram
    with suppress(CodrawError):
        await allowed(lambda: home.leave_session(model, id, end=True), crew.measures)


async def _leave(editor: Editor, measures: Measures) -> None:
    begun = perf_counter()
    if editor.line is not None:
        editor.line.leave()
    await _until(lambda: editor.line is None, measures, "the close of who leaves")
    measures.step("leave").add(perf_counter() - begun)


async def _gone(host: Server, threat_model: str, diagram: str, measures: Measures) -> None:
    try:
        await allowed(lambda: host.session(threat_model, diagram), measures)
    except RestError as error:
        if error.status == 404:
            measures.tally["sessions lived and ended"] += 1
            return
    measures.fault("session not ended", diagram)


async def _until(met: Callable[[], bool], measures: Measures, what: str) -> None:
    give_up = perf_counter() + END_S
    while not met():
        if perf_counter() > give_up:
            measures.fault("no end", f"{what} did not come within {END_S:g} s")
            return
        await asyncio.sleep(0.005)
