"""The judge finds each planted lie, and nothing in what is true."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from protocol.cells import canonical_changes, payload_sha256
from protocol.operations import Kind
from protocol.statehash import hex32
from tests.campaign.checker import LIMITS, Awaited, Checker, Ended, Evidence, Read, Withdrawn
from tests.campaign.ledger import Decided, Ledger, Logged
from tests.campaign.traces import Entry, Message, Trace
from tests.naive import NaiveDiagram
from tests.support.client import add, update

CELL = "7d3e6f5a-1b2c-4d3e-8000-000000000001"
OTHER = "7d3e6f5a-1b2c-4d3e-8000-000000000002"
FOREIGN = "7d3e6f5a-1b2c-4d3e-8001-000000000001"
FIRST, SECOND, THIRD, REFUSED, UNDO = (f"4f0c2f9e-6d0f-4a39-8a55-00000000000{n}" for n in range(1, 6))
ASKED: dict[str, tuple[str, list[Message]]] = {
    FIRST: ("test:ana", [add(CELL, label="one")]),
    SECOND: ("test:bo", [add(OTHER)]),
    THIRD: ("test:ana", [update(CELL, x=77)]),
}
REFUSAL = [update("7d3e6f5a-1b2c-4d3e-8000-000000000009", x=1)]
EPOCH = "9f2c4e7a01b35d68"

Told = tuple[str, Message]


class World:
    """Two adds, an update and its undo; ana and bo on codraw.v1, cy on tmi, dee on classic, ed by REST."""

    def __init__(self) -> None:
        self.states: list[list[Message]] = [[]]
        self.hashes: list[str] = [hex32(0)]
        self.log: list[Logged] = []
        self.decided: list[Decided] = []
        self._naive = NaiveDiagram([])
        for id, (user, changes) in ASKED.items():
            self._accept(id, user, Kind.EDIT, changes)
        self._accept(UNDO, "test:ana", Kind.UNDO, [update(CELL, x=10)], undo_of=3)
        self.decided.append(Decided("test:ana", REFUSED, sha(REFUSAL), EPOCH, 4, "refused"))
        self.at = 100.0
        self.evidence = Evidence(
            ledgers={"d": Ledger("d", EPOCH, 4, self.hashes[4], 1, self.log, self.decided, ["s"])},
            traces=[self.ana(), self.bo(), self.cy(), self.dee(), self.ed()],
            reads=[Read(worker, "d", EPOCH, 4, deepcopy(self.states[4])) for worker in (1, 2)],
            withdrawn=[Withdrawn("d", "test:eve", 1, 0.0), Withdrawn("d", "test:eve", 1, 0.0, denied=True)],
            ended=[Ended("d", 2, 0.0)],
            creations=[[(201, "s"), (409, "s")]],
            awaited=[Awaited("I29", "outcomes", 10.0, 0.1)],
            markers={"d": "8000"},
        )

    def _accept(self, id: str, user: str, kind: Kind, changes: list[Message], undo_of: int | None = None) -> None:
        canonical = canonical_changes(changes, free_ids=True, limits=LIMITS)
        word, effect = self._naive.apply(canonical, LIMITS)
        assert word == "accepted" and effect is not None
        self.states.append(deepcopy(self._naive.cells))
        self.hashes.append(hex32(self._naive.hash()))
        vector = len(self.log) + 1
        self.log.append(Logged(EPOCH, vector, 0, user, id, kind.value, undo_of, effect, self.hashes[-1]))
        self.decided.append(Decided(user, id, sha(changes), EPOCH, vector, "accepted"))

    # honest traces ----------------------------------------------------------------------------------------------------

    def ana(self) -> Trace:
        trace = Trace("ana", "test:ana", "codraw.v1", "d")
        self._heard(trace, ("opened", {}), self.welcome(), self.state(0), self.participants(1))
        self._heard(trace, ("sent", operation(FIRST)), self.receipt(1), self.event(2))
        self._heard(trace, ("closed", {"code": 1006}))
        trace.add("opened", 2, 2, {"resume": f"{EPOCH}:1"}, self._next())
        resumed = {"message_type": "resumed", "epoch": EPOCH, "from": 1, "to": 2, "count": 1}
        told = [("received", resumed), self.event(2), ("sent", operation(THIRD)), self.receipt(3)]
        told += [("sent", {"message_type": "undo", "operation_id": UNDO}), self.receipt(4)]
        refused = {"message_type": "operation_rejected", "operation_id": REFUSED, "reason": "conflict_detected"}
        told += [("sent", operation(REFUSED, REFUSAL)), ("received", refused | {"update_vector": 4})]
        told += [self.participants(2), ("received", {"message_type": "goodbye", "return": "no"})]
        for what, message in told:
            trace.add(what, 2, 2, message, self._next())  # type: ignore[arg-type]
        copy = {"vector": 4, "cells": deepcopy(self.states[4]), "over": None}
        trace.add("copy", 2, 2, copy | {"epoch": EPOCH, "state_hash": self.hashes[4]}, self._next())
        return trace

    def bo(self) -> Trace:
        trace = Trace("bo", "test:bo", "codraw.v1", "d")
        self._heard(trace, ("opened", {}), self.welcome(), self.state(0), self.event(1))
        self._heard(trace, ("sent", operation(SECOND)), self.receipt(2), self.event(3), self.event(4))
        left = self.participants(2)
        left[1]["left"] = [{"id": "test:nobody", "name": "Nobody"}]
        self._heard(trace, left)
        return trace

    def cy(self) -> Trace:
        trace = Trace("cy", "test:cy", "tmi", "d")
        self._heard(trace, ("opened", {}), ("received", self.shown("diagram_state", 1)))
        self._heard(trace, *(("received", self.tmi_event(vector)) for vector in (2, 3, 4)))
        return trace

    def dee(self) -> Trace:
        trace = Trace("dee", "test:dee", "classic", "d")
        self._heard(trace, ("opened", {}), ("received", self.shown("diagram_state_sync", 2)))
        event = {"message_type": "diagram_operation", "operation_id": THIRD, "user_id": "ana@tmi.local"}
        self._heard(trace, ("received", event | {"operation": {"type": "patch", "cells": []}}))
        return trace

    def ed(self) -> Trace:
        trace = Trace("ed", "test:ed", "rest", "d")
        body = {"epoch": EPOCH, "update_vector": 4, "cells": deepcopy(self.states[4])}
        trace.add("asked", 1, 1, {"method": "GET", "body": None}, self._next())
        trace.add("answered", 1, 1, {"status": 200, "body": body}, self._next())
        return trace

    def _heard(self, trace: Trace, *told: Told) -> None:
        for what, message in told:
            trace.add(what, 1, 1, message, self._next())  # type: ignore[arg-type]

    def _next(self) -> float:
        self.at += 1.0
        return self.at

    # messages ---------------------------------------------------------------------------------------------------------

    def welcome(self) -> Told:
        return "received", {"message_type": "welcome", "epoch": EPOCH, "update_vector": 0}

    def shown(self, kind: str, vector: int) -> Message:
        return {"message_type": kind, "update_vector": vector, "cells": deepcopy(self.states[vector])}

    def state(self, vector: int) -> Told:
        more = {"epoch": EPOCH, "state_hash": self.hashes[vector], "reason": "joined", "resend": True}
        return "received", self.shown("state", vector) | more

    def event(self, vector: int) -> Told:
        row = self.log[vector - 1]
        cells = [{"id": e.id, "operation": e.verb.value, "data": dict(e.data or {})} for e in row.effect.cells]
        return "received", {
            "message_type": "event", "epoch": EPOCH, "update_vector": vector, "operation_id": row.operation_id,
            "by": {"id": row.user, "name": "?"}, "operation": {"type": "patch", "cells": cells},
        }  # fmt: skip

    def receipt(self, vector: int) -> Told:
        row = self.log[vector - 1]
        return "received", {
            "message_type": "operation_accepted", "operation_id": row.operation_id, "epoch": EPOCH,
            "update_vector": vector, "changed": True, "duplicate": False,
        }  # fmt: skip

    def tmi_event(self, vector: int) -> Message:
        row = self.log[vector - 1]
        user = {"provider": "test", "provider_id": row.user.removeprefix("test:")}
        return {
            "message_type": "diagram_operation_event", "initiating_user": user, "operation_id": row.operation_id,
            "update_vector": vector, "operation": {"type": "patch", "cells": []},
        }  # fmt: skip

    def participants(self, term: int) -> Told:
        return "received", {
            "message_type": "participants", "presenter_term": term, "left": [],
            "presenter": {"provider": "test", "provider_id": f"p{term}"},
        }  # fmt: skip

    # lies -------------------------------------------------------------------------------------------------------------

    def trace(self, client: str) -> Trace:
        return next(trace for trace in self.evidence.traces if trace.client == client)

    def change(self, client: str, kind: str, nth: int = 0, **members: Any) -> None:
        """Another message in place of the nth of that kind."""
        trace = self.trace(client)
        found = [n for n, entry in enumerate(trace.entries) if kind_of(entry) == kind]
        entry = trace.entries[found[nth]]
        trace.entries[found[nth]] = msgspec.structs.replace(entry, message=entry.message | members)

    def drop(self, client: str, kind: str, nth: int = 0) -> None:
        trace = self.trace(client)
        del trace.entries[[n for n, entry in enumerate(trace.entries) if kind_of(entry) == kind][nth]]

    def more(self, client: str, what: str, message: Message) -> None:
        last = self.trace(client).entries[-1]
        self.trace(client).add(what, last.worker, last.connection, message, self._next())  # type: ignore[arg-type]

    def row(self, number: int, **members: Any) -> None:
        self.log[number - 1] = msgspec.structs.replace(self.log[number - 1], **members)

    @property
    def ledger(self) -> Ledger:
        return self.evidence.ledgers["d"]


def kind_of(entry: Entry) -> str:
    return str(entry.message.get("message_type", entry.what))


def sha(changes: list[Message]) -> bytes:
    return payload_sha256(Kind.EDIT, canonical_changes(changes, free_ids=True, limits=LIMITS))


def operation(id: str, changes: list[Message] | None = None) -> Message:
    cells = ASKED[id][1] if changes is None else changes
    return {"message_type": "operation", "operation_id": id, "operation": {"type": "patch", "cells": cells}}


def swapped_events(world: World) -> None:
    entries = world.trace("bo").entries
    first, second = [n for n, entry in enumerate(entries) if kind_of(entry) == "event"][-2:]
    entries[first], entries[second] = entries[second], entries[first]


def a_newer_receipt(world: World) -> None:
    """ed reads 4 after ana was told of 5."""
    world.trace("ana").entries.insert(5, Entry(101.0, "received", 1, 1, {**world.receipt(4)[1], "update_vector": 5}))


def a_gone_neighbour(world: World) -> None:
    """bo is told to have left between two frames that bo gets."""
    heard = [entry.at for entry in world.trace("bo").entries if entry.what == "received"]
    left = {**world.participants(2)[1], "left": [{"id": "test:bo"}]}
    world.trace("ana").add("received", 2, 2, left, heard[-1] - 1.5)


LIES: dict[str, tuple[str, Callable[[World], object]]] = {
    "a receipt of what is not in the log": ("I1", lambda w: w.change("ana", "operation_accepted", update_vector=9)),
    "an outcome with another payload": ("I1", lambda w: w.decided.__setitem__(
        0, msgspec.structs.replace(w.decided[0], payload_sha256=b"other"))),
    "a copy with other cells": ("I2", lambda w: w.change("ana", "copy", cells=[])),
    "a copy that stays behind": ("I2", lambda w: w.change("ana", "copy", vector=3)),
    "a worker that shows something else": ("I2", lambda w: w.evidence.reads.__setitem__(
        0, Read(1, "d", EPOCH, 3, w.states[3]))),
    "a gap in the log": ("I3", lambda w: w.row(2, vector=7)),
    "a head that is not the newest row": ("I3", lambda w: setattr(w.ledger, "vector", 5)),
    "an id twice in the log": ("I4", lambda w: w.row(3, operation_id=FIRST)),
    "a retry with another answer": ("I4", lambda w: w.more("bo", *(w.receipt(2)[0], w.receipt(2)[1] | {
        "update_vector": 1, "duplicate": True}))),
    "an operation without an outcome": ("I6", lambda w: w.drop("bo", "operation_accepted")),
    "a receipt and a rejection": ("I6", lambda w: w.more("bo", "received", {
        "message_type": "operation_rejected", "operation_id": SECOND, "reason": "validation_failed"})),
    "a conflict that is none": ("I6", lambda w: w.change(
        "ana", "operation", 2, operation={"type": "patch", "cells": [add("7d3e6f5a-1b2c-4d3e-8000-00000000000a")]})),
    "an event that is not in the log": ("I7", lambda w: w.change("bo", "event", operation_id=REFUSED)),
    "an event with other cells": ("I7", lambda w: w.change("bo", "event", operation={"type": "patch", "cells": []})),
    "an event of forged news": ("I7", lambda w: w.evidence.forged.add(FIRST)),
    "events in another order": ("I8", swapped_events),
    "a missing event": ("I8", lambda w: w.drop("bo", "event")),
    "a missing event in tmi": ("I8", lambda w: w.drop("cy", "diagram_operation_event")),
    "a newcomer's state of another time": ("I9", lambda w: w.change("cy", "diagram_state", cells=[])),
    "a GET that is older than a receipt": ("I10", a_newer_receipt),
    "a vector that falls": ("I10", lambda w: w.more("dee", "received", w.shown("diagram_state_sync", 1))),
    "a rejected operation in the log": ("I12", lambda w: w.row(3, operation_id=REFUSED)),
    "a hash of other cells": ("I13", lambda w: w.row(3, state_hash="0" * 32)),
    "an undo of somebody else's operation": ("I14", lambda w: w.row(4, undo_of=2)),
    "an undo to another value": ("I14", lambda w: w.row(4, effect=msgspec.convert(
        {"cells": [{"id": CELL, "verb": "update", "data": {"x": 11}}]}, type(w.log[3].effect)))),
    "a head that moved by itself": ("I15", lambda w: setattr(w.ledger, "vector", 5)),
    "an event of another epoch": ("I16", lambda w: w.change("bo", "event", epoch="f" * 16)),
    "a part of what was missed": ("I17", lambda w: w.change("ana", "event", 1, update_vector=3)),
    "two sessions": ("I19", lambda w: w.ledger.live_sessions.append("t")),
    "two winners": ("I19", lambda w: w.evidence.creations.append([(201, "s"), (201, "t")])),
    "two presenters at one term": ("I20", lambda w: w.change("bo", "participants", presenter=None)),
    "a term that falls": ("I20", lambda w: w.more("bo", *w.participants(1))),
    "a frame after the end": ("I21", lambda w: w.more("ana", "received", {"message_type": "heartbeat", "epoch": EPOCH,
        "update_vector": 4, "state_hash": w.hashes[4]})),
    "an operation after the end": ("I21", lambda w: w.row(4, acl_version=2)),
    "somebody vanishes who is there": ("I22", a_gone_neighbour),
    "an operation of somebody ejected": ("I24", lambda w: w.evidence.withdrawn.append(
        Withdrawn("d", "test:bo", 0, 1e9, denied=True))),
    "an operation without the right": ("I25", lambda w: w.evidence.withdrawn.append(
        Withdrawn("d", "test:bo", 0, 1e9))),
    "content without the right": ("I25", lambda w: w.evidence.withdrawn.append(Withdrawn("d", "test:dee", 9, 0.0))),
    "a cell of another diagram": ("I27", lambda w: w.more("cy", "received", {
        "message_type": "diagram_operation_event", "update_vector": 4, "operation_id": UNDO,
        "initiating_user": {"provider": "codraw", "provider_id": "server"},
        "operation": {"type": "patch", "cells": [{"id": FOREIGN, "operation": "remove"}]}})),
    "an operation that waits for ever": ("I29", lambda w: w.evidence.awaited.append(
        Awaited("I29", "an outcome", 10.0, None))),
}  # fmt: skip


def test_what_is_true_is_held() -> None:
    verdicts = Checker(World().evidence).judge()
    assert {id: verdict.violations for id, verdict in verdicts.items() if verdict.violations} == {}


def test_what_nobody_looked_at_is_not_held() -> None:
    assert {verdict.word for verdict in Checker(Evidence()).judge().values()} == {"not exercised"}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_found(lie: str) -> None:
    invariant, plant = LIES[lie]
    world = World()
    plant(world)
    assert Checker(world.evidence).judge()[invariant].word == "violated"


def test_every_invariant_has_a_lie() -> None:
    assert {invariant for invariant, _ in LIES.values()} == set(Checker(Evidence()).verdicts)
