"""A confirmed copy with pending operations on top, fed by hand and by random histories."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from codraw.client.messages import State
from codraw.client.outcomes import Asked
from codraw.client.replica import Operation, Replica
from collab.core.apply import Applied, Refused, apply
from collab.core.diagram import Diagram
from protocol.dialects.codraw_v1_messages import Event, OperationAccepted, Repair
from protocol.dialects.patches import as_asked, effective
from protocol.operations import CellChange
from protocol.statehash import hex32
from protocol.values import CellId, UserId
from tests.support.drawing import LIMITS, Scribbler, add, changes, diagram, flow, node, remove, update

ME, YOU = "test:me", "test:you"


def state(of: Diagram) -> State:
    return State(of.epoch, of.vector, hex32(of.state_hash), "joined", True, of.cells_in_order())


def replica_of(*cells: Any) -> Replica:
    replica = Replica()
    replica.me = UserId(ME)
    replica.show(state(diagram(*cells)))
    return replica


def operation(id: str, *entries: dict[str, Any], **more: Any) -> Operation:
    return Operation(Asked(id), "edit", changes(*entries), **more)


def event(vector: int, *entries: dict[str, Any], by: str = YOU, id: str = "", order: list[str] | None = None) -> Event:
    patch = {"type": "patch", "cells": entries, **({"order": order} if order else {})}
    said = {
        "message_type": "event", "epoch": "e", "update_vector": vector, "operation_id": id or f"op{vector}",
        "by": {"id": by, "name": by}, "kind": "edit", "operation": patch, "at": "",
    }  # fmt: skip
    return msgspec.convert(said, Event)


def receipt(id: str, vector: int, *, changed: bool = True, **more: Any) -> OperationAccepted:
    said = {
        "message_type": "operation_accepted", "operation_id": id, "epoch": "e", "update_vector": vector,
        "changed": changed, "duplicate": False, "kind": "edit", "history": {"undo": 0, "redo": 0}, **more,
    }  # fmt: skip
    return msgspec.convert(said, OperationAccepted)


def ids(*ids: str) -> frozenset[CellId]:
    return frozenset(map(CellId, ids))


def top(replica: Replica) -> dict[str, Any]:
    return {cell["id"]: cell for cell in replica.top.cells_in_order()}


async def test_a_pending_operation_is_seen_at_once_and_is_not_confirmed() -> None:
    replica = replica_of(node("a"))
    assert replica.ask(operation("1", update("a", x=5))) == ids("a")
    assert top(replica)["a"]["x"] == 5
    assert replica.confirmed.cells_in_order() == (node("a"),)
    assert replica.state_hash == hex32(diagram(node("a")).state_hash)


async def test_a_foreign_event_goes_under_the_pending_operations() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    assert replica.happened(event(1, update("a", x=9, y=9))) == ids("a")
    assert (top(replica)["a"]["x"], top(replica)["a"]["y"], replica.confirmed.cell(CellId("a"))["x"]) == (5, 9, 9)  # type: ignore[index]


async def test_a_receipt_confirms_just_as_foreseen() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    replica.ask(operation("2", update("a", y=6)))
    assert replica.accepted(receipt("1", 1)) == frozenset()
    assert (replica.confirmed.vector, replica.confirmed.cell(CellId("a"))) == (1, node("a", x=5))
    assert replica.accepted(receipt("2", 2)) == frozenset()
    assert replica.confirmed.cells_in_order() == replica.top.cells_in_order() == (node("a", x=5, y=6),)
    assert replica.pending == []


async def test_a_receipt_of_a_later_operation_confirms_that_one() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    replica.ask(operation("2", update("a", y=6)))
    assert replica.accepted(receipt("2", 1)) == ids("a")
    assert replica.confirmed.cells_in_order() == (node("a", y=6),)
    assert replica.top.cells_in_order() == (node("a", x=5, y=6),)


async def test_a_receipt_with_effective_cells_is_believed() -> None:
    replica = replica_of(node("a"), node("b"), flow("f", "a", "b"))
    replica.ask(operation("1", remove("a")))
    assert replica.accepted(receipt("1", 1, cells=[remove("a"), remove("f")])) == ids("a", "f")
    assert replica.confirmed.cells_in_order() == (node("b"),)


async def test_OP11_the_receipt_of_a_no_op_moves_nothing() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=0)))
    assert replica.accepted(receipt("1", 0, changed=False)) == frozenset()
    assert (replica.confirmed.vector, replica.pending) == (0, [])


async def test_a_receipt_for_what_we_do_not_know_needs_a_resume() -> None:
    assert replica_of(node("a")).accepted(receipt("1", 1)) is None


async def test_a_rejection_takes_the_operation_back() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    replica.ask(operation("2", update("a", y=6)))
    assert replica.drop("1") == ids("a")
    assert replica.top.cells_in_order() == (node("a", y=6),)


async def test_what_is_sure_to_be_refused_is_not_shown() -> None:
    replica = replica_of(node("a"))
    assert replica.ask(operation("1", update("nobody", x=5))) == frozenset()
    assert replica.ask(operation("2", update("a", x=5))) == ids("a")
    replica.happened(event(1, add(node("nobody"))))
    assert top(replica)["nobody"]["x"] == 5


async def test_WS15_after_a_gap_only_a_resume_helps() -> None:
    replica = replica_of(node("a"))
    assert replica.happened(event(2, update("a", x=1))) is None
    replica.ask(operation("1", update("a", x=5)))
    assert replica.accepted(receipt("1", 2)) is None
    assert replica.confirmed.vector == 0 and len(replica.pending) == 1


async def test_another_epoch_is_a_gap() -> None:
    replica = replica_of(node("a"))
    assert replica.happened(msgspec.structs.replace(event(1, update("a", x=1)), epoch="f")) is None


async def test_what_is_known_is_not_done_twice() -> None:
    replica = replica_of(node("a"))
    replica.happened(event(1, update("a", x=1)))
    assert replica.happened(event(1, update("a", x=2))) == frozenset()
    assert top(replica)["a"]["x"] == 1


async def test_an_event_of_our_own_is_its_receipt() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    replica.happened(event(1, update("a", x=5), by=ME, id="1"))
    assert replica.pending == [] and replica.top is replica.confirmed


async def test_VEC10_an_id_of_somebody_else_s_is_not_ours() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    replica.happened(event(1, update("a", y=5), by=YOU, id="1"))
    assert len(replica.pending) == 1


async def test_RE14_a_new_order_is_taken_over() -> None:
    replica = replica_of(node("a"), node("b"))
    assert replica.happened(event(1, order=["b", "a"])) == ids("a", "b")
    assert replica.confirmed.order() == ("b", "a")


async def test_a_full_state_leaves_pending_operations_on_top() -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=5)))
    assert replica.show(state(diagram(node("a", y=1), node("b")))) == ids("a", "b")
    assert replica.top.cells_in_order() == (node("a", x=5, y=1), node("b"))


@pytest.mark.parametrize("order", [None, ["c", "a"]])
async def test_WS17_a_repair_leaves_the_copy_as_the_full_state_would(order: list[str] | None) -> None:
    replica = replica_of(node("a"), node("b"), node("c", x=1))
    repaired = diagram(*([node("c"), node("a")] if order else [node("a"), node("c")]))
    said = {"epoch": "e", "update_vector": 4, "state_hash": "", "cells": [node("c")], "removed": ["b"]}
    replica.repair(msgspec.convert({"message_type": "repair", **said, **({"order": order} if order else {})}, Repair))
    assert replica.confirmed.cells_in_order() == repaired.cells_in_order()
    assert (replica.confirmed.vector, replica.state_hash) == (4, hex32(repaired.state_hash))


async def test_cell_hashes_are_those_of_the_confirmed_cells_in_their_order() -> None:
    replica = replica_of(node("b"), node("a"))
    replica.ask(operation("1", remove("b")))
    assert replica.cell_hashes == [(id, hex32(diagram(node(id)).state_hash)[:16]) for id in ("b", "a")]


async def test_a_thousand_pending_operations_cost_what_they_touch() -> None:
    """Each is judged once when it is asked and, if it is confirmed in order, never again."""
    replica = replica_of(node("a"))
    for number in range(1, 1_001):
        replica.ask(operation(str(number), update("a", x=number)))
    shown = replica.top
    for number in range(1, 1_001):
        replica.accepted(receipt(str(number), number))
        assert replica.pending == [] or replica.top is shown
    assert replica.confirmed.cells_in_order() == shown.cells_in_order()


@pytest.fixture
def layings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that a pending operation is judged."""
    counted: list[int] = []

    def counting(*arguments: Any) -> Any:
        counted.append(1)
        return apply(*arguments)

    monkeypatch.setattr("codraw.client.replica.apply", counting)
    return counted


async def test_many_events_under_many_pending_operations_cost_the_sum_of_both(layings: list[int]) -> None:
    replica = replica_of(node("a"), node("b"))
    for number in range(50):
        replica.ask(operation(str(number), update("a", x=number + 1)))
    for number in range(1, 101):
        assert replica.happened(event(number, update("b", y=number))) == ids("a", "b")
    for number in range(25):
        assert replica.accepted(receipt(str(number), 101 + number)) is not None
    for number in range(25, 35):
        replica.drop(str(number))
    assert (top(replica)["a"]["x"], top(replica)["b"]["y"], replica.confirmed.cell(CellId("a"))["x"]) == (50, 100, 25)  # type: ignore[index]
    assert len(layings) <= 50 + 25 + 15


async def test_a_drag_that_grows_the_last_of_many_is_laid_alone(layings: list[int]) -> None:
    replica = replica_of(node("a"))
    for number in range(50):
        replica.ask(operation(str(number), update("a", x=number + 1)))
    replica.pending[-1].changes = changes(update("a", x=77))
    assert replica.ask_more() == ids("a")
    assert top(replica)["a"]["x"] == 77 and len(layings) == 51


async def test_an_edit_after_events_lies_on_all_that_were_asked_before(layings: list[int]) -> None:
    replica = replica_of(node("a"))
    replica.ask(operation("1", update("a", x=1)))
    replica.happened(event(1, update("a", y=9)))
    assert replica.ask(operation("2", update("a", x=2))) == ids("a")
    assert top(replica)["a"] == node("a", x=2, y=9) and len(layings) == 3


async def test_OP4_what_goes_with_a_node_whose_removal_becomes_possible_is_told() -> None:
    replica = replica_of(node("a"), node("b"), flow("f", "a", "b"))
    assert replica.ask(operation("1", remove("a"), update("z", x=5))) == frozenset()
    told = replica.happened(event(1, add(node("z"))))
    assert top(replica).keys() == {"b", "z"} and told is not None and told >= ids("a", "f", "z")


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_looks_different_was_told(seed: int) -> None:
    chance, scribbler = random.Random(seed), Scribbler(seed)
    others = diagram(node("n0"), node("n1"), flow("e0", "n0", "n1"))
    replica = Replica()
    replica.me = UserId(ME)
    replica.show(state(others))
    seen, told = top(replica), set[CellId]()
    for step in range(200):
        try:
            spelled = changes(*scribbler.batch(replica.top if chance.random() < 0.3 else replica.confirmed))
        except Exception:
            continue
        match chance.randrange(4):
            case 0 | 1:
                told |= replica.ask(Operation(Asked(str(step)), "edit", spelled))
            case 2 if replica.pending:
                told |= replica.drop(chance.choice(replica.pending).id)
            case _ if isinstance(verdict := apply(others, spelled, UserId(YOU), LIMITS), Applied):
                others = verdict.diagram
                said = msgspec.structs.replace(event(others.vector), operation=effective(verdict.effect))
                told |= replica.happened(said) or set()
        if chance.random() < 0.3:
            now = top(replica)
            assert {id for id in seen.keys() | now.keys() if seen.get(id) != now.get(id)} <= told
            seen, told = now, set()


class Server:
    """A log that judges what is sent to it, and what it tells everybody in turn."""

    def __init__(self, founding: Diagram) -> None:
        self.diagram = founding
        self.told: list[tuple[str, Any]] = []

    def judge(self, who: str, operation: Operation) -> None:
        verdict = apply(self.diagram, operation.changes, UserId(who), LIMITS)
        if isinstance(verdict, Refused):
            self.told.append((who, (operation.id, None)))
        elif isinstance(verdict, Applied):
            self.diagram = verdict.diagram
            patch = effective(verdict.effect)
            cells = {} if as_asked(operation.changes, verdict.effect, verdict.diagram) else {"cells": patch.cells}
            answer = msgspec.structs.replace(receipt(operation.id, verdict.diagram.vector), **cells)
            said = msgspec.structs.replace(event(verdict.diagram.vector, by=who, id=operation.id), operation=patch)
            self.told.append((who, (answer, said)))
        else:
            self.told.append((who, (receipt(operation.id, self.diagram.vector, changed=False), None)))


@pytest.mark.parametrize("seed", range(40))
async def test_I2_after_random_histories_every_replica_is_the_server_s(seed: int) -> None:
    chance, scribbler = random.Random(seed), Scribbler(seed)
    founding = diagram(node("n0"), node("n1"), flow("e0", "n0", "n1"))
    server = Server(founding)
    replicas = {name: Replica() for name in ("test:a", "test:b")}
    inboxes: dict[str, list[tuple[str, Any]]] = {name: [] for name in replicas}
    unsent: dict[str, list[Operation]] = {name: [] for name in replicas}
    for name, replica in replicas.items():
        replica.me = UserId(name)
        replica.show(state(founding))

    def deliver(name: str) -> None:
        who, (answer, said) = inboxes[name].pop(0)
        replica = replicas[name]
        if who != name:
            assert said is None or replica.happened(said) is not None
        elif isinstance(answer, str):
            replica.drop(answer)
        else:
            assert replica.accepted(answer) is not None

    def send(name: str) -> None:
        server.judge(name, unsent[name].pop(0))
        for inbox in inboxes.values():
            inbox.append(server.told[-1])

    for step in range(150):
        name = chance.choice(list(replicas))
        match chance.randrange(3):
            case 0:
                asked = scribbler.batch(replicas[name].top)
                try:
                    spelled: tuple[CellChange, ...] = changes(*asked)
                except Exception:
                    continue
                one = Operation(Asked(f"{step}"), "edit", spelled)
                replicas[name].ask(one)
                unsent[name].append(one)
            case 1 if unsent[name]:
                send(name)
            case _ if inboxes[name]:
                deliver(name)
    for name in replicas:
        while unsent[name]:
            send(name)
    for name, replica in replicas.items():
        while inboxes[name]:
            deliver(name)
        assert replica.pending == [] and replica.top is replica.confirmed
        assert replica.confirmed.cells_in_order() == server.diagram.cells_in_order()
        assert (replica.confirmed.vector, replica.state_hash) == (
            server.diagram.vector,
            hex32(server.diagram.state_hash),
        )
