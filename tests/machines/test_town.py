"""Two houses on one store are one server, whatever is done at which of them, in any order (H2)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from protocol.operations import CellChange, Verb
from protocol.values import CellId, DiagramId
from tests.machines.town import LIMITS, NAMES, Message, Seat, Town, log_of, new_id, town
from tests.naive import NaiveDiagram, canonical

pytestmark = pytest.mark.usefixtures("no_settings")

T = TypeVar("T")

IDS = tuple(f"7d3e6f5a-0000-4000-8000-00000000000{digit}" for digit in "1234")
EDGE = "0b9c1d2e-0000-4000-8000-000000000001"
EXAMPLES, STEPS = (int(number) for number in os.environ.get("CODRAW_TEST_MACHINES", "6x15").split("x"))
"""`CODRAW_TEST_MACHINES=100x30`: so many histories of so many steps on each kind of store."""

houses = st.integers(0, 1)
names = st.sampled_from(NAMES)
others = st.sampled_from(NAMES[1:])
numbers = st.integers(0, 3)


def node(id: str, x: int) -> Message:
    return {"id": id, "operation": "add", "data": {"shape": "process", "x": x, "y": 0, "width": 80, "height": 60}}


def edge(source: str, target: str) -> Message:
    data = {"shape": "flow", "source": {"cell": source}, "target": {"cell": target}}
    return {"id": EDGE, "operation": "add", "data": data}


cells = st.lists(
    st.one_of(
        st.builds(node, st.sampled_from(IDS), numbers),
        st.builds(edge, st.sampled_from(IDS), st.sampled_from(IDS)),
        st.builds(lambda id: {"id": id, "operation": "remove"}, st.sampled_from((*IDS, EDGE))),
        st.builds(
            lambda id, data: {"id": id, "operation": "update", "data": data},
            st.sampled_from(IDS),
            st.sampled_from(({"x": 7}, {"y": 8, "label": "L"}, {"label": None}, {"attrs/body/fill": "#fff"})),
        ),
    ),
    min_size=1,
    max_size=2,
)


def changes(entries: list[Message]) -> list[CellChange]:
    return [
        CellChange(
            CellId(entry["id"]),
            Verb(entry["operation"]),
            {**entry["data"], "id": entry["id"]} if entry["operation"] == "add" else entry.get("data"),
        )
        for entry in entries
    ]


def entry(name: str, role: str) -> Message:
    return {"subject": f"{name}@tmi.local", "subject_type": "user", "role": role}


class TwoHouses(RuleBasedStateMachine):
    """The model: one naive diagram, a vector, roles and a session. Each rule waits for its outcome, so that the model
    knows it beforehand."""

    town: Town
    runner: asyncio.Runner

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def a_diagram(self) -> None:
        self.model, self.vector = NaiveDiagram([]), 0
        self.roles = {"ana": "owner", "bo": "writer", "cy": "writer"}
        self.denied: set[str] = set()
        self.session: str | None = None
        self.seats: list[Seat] = []
        self.done: list[tuple[str, Message, Message]] = []
        self.run(self._found())

    async def _found(self) -> None:
        entries = [entry(name, role) for name, role in self.roles.items()]
        model = await self.town.ask(0, "ana", "POST", "/threat_models", {"name": "m", "authorization": entries})
        self.model_path = f"/threat_models/{model.json()['id']}"
        diagram = {"name": "d", "type": "DFD-1.0.0"}
        made = await self.town.ask(1, "ana", "POST", f"{self.model_path}/diagrams", diagram)
        self.id = DiagramId(made.json()["id"])
        self.path = f"{self.model_path}/diagrams/{self.id}"

    # sessions ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.session is None)
    @rule()
    def all_create_a_session_at_once(self) -> None:
        """I19."""
        self.run(self._create())

    async def _create(self) -> None:
        asked = [
            self.town.ask(house, name, "POST", f"{self.path}/collaborate")
            for house in (0, 1)
            for name, role in self.roles.items()
            if role != "reader"
        ]
        answers = await asyncio.gather(*asked)
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201] + [409] * (len(answers) - 1), ("I19", codes)
        bodies = [answer.json() for answer in answers]
        ids = {body["session_id"] if "session_id" in body else body["session"]["session_id"] for body in bodies}
        assert len(ids) == 1, ("I19", bodies)
        (created,) = [answer for answer in answers if answer.status_code == 201]
        # What may follow must not hang on who was the quickest: a history is to be played again.
        winner = NAMES[_asker(asked, answers, created, self.roles)]
        assert (await self.town.ask(1, winner, "DELETE", f"{self.path}/collaborate")).status_code == 204
        self.host = NAMES[0]
        again = await self.town.ask(0, self.host, "POST", f"{self.path}/collaborate")
        assert again.status_code == 201, ("SES16", again.text)
        self.session = again.json()["session_id"]
        assert self.session not in ids, "SES16"

    @precondition(lambda self: self.session is not None)
    @rule(house=houses)
    def the_host_ends_the_session(self, house: int) -> None:
        async def end() -> None:
            answer = await self.town.ask(house, self.host, "DELETE", f"{self.path}/collaborate")
            assert answer.status_code == 204
            for seat in self.seats:
                if seat.here:
                    await seat.until(lambda: False)
            self._all_gone()

        self.run(end())
        self.session = None
        self.denied.clear()

    def _all_gone(self) -> None:
        for seat in self.seats:
            assert seat.goodbye is not None, "I21"
            seat.leave()
        self.seats.clear()

    # sockets ----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.session is not None and len(self.seats) < 4)
    @rule(house=houses, name=names)
    def join(self, house: int, name: str) -> None:
        seat = Seat(self.town, house, name, self.path)
        let_in = self.run(seat.sit(self.session or "", house))
        may = name not in self.denied
        assert let_in == may or (let_in and seat.goodbye is not None), ("I24", name, let_in)
        if let_in and seat.here:
            assert may, ("I24", name)
            self.seats.append(seat)

    @precondition(lambda self: any(seat.name != self.host for seat in self.seats))
    @rule(which=numbers)
    def somebody_leaves(self, which: int) -> None:
        """Not the host: that would end the session."""
        guests = [seat for seat in self.seats if seat.name != self.host]
        seat = guests[which % len(guests)]
        self.seats.remove(seat)
        seat.leave(1000)

    @precondition(lambda self: bool(self.seats))
    @rule(which=numbers, house=houses)
    def a_socket_breaks_and_resumes_at_either_house(self, which: int, house: int) -> None:
        """I17."""
        seat = self.seats[which % len(self.seats)]
        seat.leave(1006)
        assert self.run(seat.sit(self.session or "", house))

    # editing ----------------------------------------------------------------------------------------------------------

    @precondition(lambda self: bool(self.seats))
    @rule(which=numbers, entries=cells)
    def edit(self, which: int, entries: list[Message]) -> None:
        seat = self.seats[which % len(self.seats)]
        id = new_id()
        seat.asked[id] = entries
        message = {"message_type": "operation", "operation_id": id, "operation": {"type": "patch", "cells": entries}}
        answer = self._answer(seat, message)
        self._judge(seat.name, entries, answer)
        self.done.append((seat.name, message, answer))

    def _answer(self, seat: Seat, message: Message) -> Message:
        async def ask() -> Message:
            seat.say(message)
            return await seat.answer(message["operation_id"])

        return self.run(ask())

    def _judge(self, name: str, entries: list[Message], answer: Message) -> None:
        """I6, I11, I12: as the naive engine says, and by the role that holds now (I25)."""
        if self.roles[name] == "reader":
            assert answer["reason"] == "permission_denied", ("I25", answer)
            return
        outcome, _ = self.model.apply(changes(entries), LIMITS)
        if outcome == "accepted":
            self.vector += 1
            assert answer.get("changed") is True and answer["update_vector"] == self.vector, ("I3", answer)
        elif outcome == "no_op":
            assert answer.get("changed") is False, ("I6", answer)
        else:
            assert answer.get("reason") == outcome, ("I6", outcome, answer)

    @precondition(lambda self: bool(self.done))
    @rule(which=st.integers(0, 50), house=houses)
    def an_operation_is_repeated_anywhere(self, which: int, house: int) -> None:
        """I4: by REST or by a socket of its user, at either house."""
        name, message, answer = self.done[which % len(self.done)]
        seats = [seat for seat in self.seats if seat.name == name and seat.house == house]
        denied = name in self.denied or self.roles[name] == "reader" or answer.get("reason") == "permission_denied"
        if seats and not denied:
            again = self._answer(seats[0], message)
            for key in ("changed", "update_vector", "reason"):
                if key != "update_vector" or answer.get("changed"):
                    assert again.get(key) == answer.get(key), ("I4", key, again, answer)

    @precondition(lambda self: bool(self.seats))
    @rule(which=numbers, word=st.sampled_from(("undo", "undo", "redo")))
    def undo_or_redo(self, which: int, word: str) -> None:
        """I14: one logged operation, whose effect the receipt shows."""
        seat = self.seats[which % len(self.seats)]
        answer = self._answer(seat, {"message_type": word, "operation_id": new_id()})
        if self.roles[seat.name] == "reader":
            assert answer["reason"] == "permission_denied", ("I25", answer)
        elif answer.get("changed"):
            self.vector += 1
            assert answer["update_vector"] == self.vector, ("I3", answer)
            assert seat.vector == self.vector, ("I8", answer)
            self.model = NaiveDiagram(seat.copy.cells)

    @rule(house=houses, name=names, entries=cells)
    def edit_by_rest(self, house: int, name: str, entries: list[Message]) -> None:
        """I15."""
        id = new_id()
        body = {"operation_id": id, "operation": {"type": "patch", "cells": entries}}
        answer = self.run(self.town.ask(house, name, "POST", f"{self.path}/operations", body))
        if self.roles[name] == "reader" or name in self.denied:
            assert answer.status_code == 403, ("I25", answer.text)
            return
        said = answer.json()
        self._judge(name, entries, said if answer.status_code == 200 else said["details"])

    @rule(house=houses, name=names, old=st.booleans(), turned=st.booleans())
    def put_all_cells(self, house: int, name: str, old: bool, turned: bool) -> None:
        """I15: with If-Match it is one operation, or nothing."""
        wanted = [{**cell, "z": self.vector} for cell in self.model.cells if "source" not in cell]
        if turned:
            wanted.reverse()
        match = f'"{max(0, self.vector - 1) if old else self.vector}"'
        body = {"name": "d", "type": "DFD-1.0.0", "cells": wanted}
        answer = self.run(self.town.ask(house, name, "PUT", self.path, body, **{"If-Match": match}))
        if self.roles[name] == "reader" or name in self.denied:
            assert answer.status_code == 403, ("I25", answer.text)
        elif old and self.vector > 0:
            assert answer.status_code == 409, ("I15", answer.status_code, answer.text)
        elif answer.status_code == 200:
            self.vector += not _same(wanted, self.model.cells)
            self.model = NaiveDiagram(wanted)
        else:
            # a parent or an end of one cell may be missing now
            assert answer.status_code in (409, 422), answer.text

    # rights -----------------------------------------------------------------------------------------------------------

    @rule(house=houses, name=others, role=st.sampled_from(("reader", "writer")))
    def the_owner_changes_a_role(self, house: int, name: str, role: str) -> None:
        self.roles[name] = role
        entries = [
            {"subject": f"{other}@tmi.local", "subject_type": "user", "role": word}
            for other, word in self.roles.items()
        ]
        answer = self.run(self.town.ask(house, "ana", "PATCH", self.model_path, {"authorization": entries}))
        assert answer.status_code == 200, answer.text

    @precondition(lambda self: any(seat.name == self.host for seat in self.seats))
    @rule(name=names)
    def the_host_removes_somebody(self, name: str) -> None:
        """I24: at all houses."""
        if name == self.host or not any(seat.name == name for seat in self.seats):
            return
        host = next(seat for seat in self.seats if seat.name == self.host)
        gone = [seat for seat in self.seats if seat.name == name]
        self.seats = [seat for seat in self.seats if seat.name != name]

        async def remove() -> None:
            host.say({"message_type": "remove_participant", "user": {"provider": "test", "provider_id": name}})
            for seat in gone:
                await seat.until(lambda: False)
                assert seat.goodbye is not None and seat.goodbye["reason"] == "removed", ("I24", seat.goodbye)
                seat.leave()

        self.run(remove())
        self.denied.add(name)

    # what holds after each step ---------------------------------------------------------------------------------------

    @invariant()
    def everybody_sees_the_same(self) -> None:
        """I2, I8, I10."""
        if hasattr(self, "path"):
            self.run(self._compare())

    async def _compare(self) -> None:
        for house in (0, 1):
            answer = await self.town.ask(house, "ana", "GET", self.path)
            shown = answer.json()
            assert shown["update_vector"] == self.vector, ("I10", house, shown["update_vector"], self.vector)
            assert shown["cells"] == self.model.cells, ("I2", house, shown["cells"], self.model.cells)
        for seat in self.seats:
            await seat.until(lambda seat=seat: seat.vector >= self.vector)
            assert seat.goodbye is None, ("I29", seat.name, seat.goodbye)
            assert seat.vector == self.vector, ("I8", seat.name, seat.vector, self.vector)
            assert seat.copy.cells == self.model.cells, ("I2", seat.name, seat.copy.cells, self.model.cells)

    def teardown(self) -> None:
        """I3, I4, I13, at rest."""
        if hasattr(self, "path"):
            for seat in self.seats:
                seat.leave()
            logged = self.run(log_of(self.town, self.id))
            assert logged.cells == self.model.cells, "I2"


def _same(one: list[Message], other: list[Message]) -> bool:
    return [canonical(cell) for cell in one] == [canonical(cell) for cell in other]


def _asker(asked: Any, answers: Any, created: Any, roles: dict[str, str]) -> int:
    """Whose request it was that won."""
    writers = [name for name, role in roles.items() if role != "reader"]
    return NAMES.index((writers * 2)[answers.index(created)])


def play(store_url: str, redis_url: str | None = None) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        TwoHouses.runner = runner
        TwoHouses.town = runner.run(stack.enter_async_context(town(store_url, redis_url)))
        try:
            run_state_machine_as_test(
                TwoHouses,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(stack.aclose())


def test_I2_I3_I4_I6_I8_I10_I15_I19_I24_I25_two_houses_on_one_file(tmp_path: Path) -> None:
    play(f"sqlite:///{tmp_path}/store.db")


@pytest.mark.needs_postgres
def test_I2_I3_I4_I6_I8_I10_I15_I19_I24_I25_two_houses_on_postgresql(postgres_url: str) -> None:
    play(postgres_url)


@pytest.mark.needs_postgres
@pytest.mark.needs_redis
def test_I2_I3_I4_I6_I8_I10_I15_I19_I24_I25_two_houses_on_postgresql_with_redis(
    postgres_url: str, redis_url: str
) -> None:
    play(postgres_url, redis_url)
