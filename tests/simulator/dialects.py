"""The clients of the three dialects, as the protocol's text has them."""

from __future__ import annotations

from typing import Any

from protocol.codec import Encoding
from protocol.dialects import CLASSIC, CODRAW_V1, TMI
from protocol.operations import CellChange, Verb
from protocol.values import CellId, User
from tests.simulator.clients import Editor, Message, Written
from tests.simulator.truth import Copy
from tests.simulator.world import SETTINGS, World

STEADY_S = 6.0
"""Whoever has been on one socket for so long is known everywhere."""
SAMPLED = 6
"""One of so many verdicts is held against the naive engine."""


class V1(Editor):
    """`codraw.v1`: a confirmed copy, moved by events and receipts in order."""

    dialect = CODRAW_V1

    def __init__(self, index: int, name: str, world: World) -> None:
        super().__init__(index, name, world)
        self.encoding = Encoding.MSGPACK if index % 3 == 1 else Encoding.JSON
        self.epoch = ""
        self.vector = -1
        self.copy = Copy([])
        self.welcomed = False
        self.deaf = False
        """A frame was lost on its way: it is to find that out."""
        self.looking_back = False
        self.asked_from = -1
        """Where it stood when it asked for what it missed."""
        self.crossed = -1
        """Told while that was under way, and told again by its answer (WS17)."""
        self.order: list[str] = []
        """Ids as sent on this socket."""
        self.last = -1
        self.other_payload: set[str] = set()
        self.session = ""
        self.ended = 0

    def begin(self) -> None:
        self.welcomed = self.deaf = self.looking_back = False
        self.crossed = -1
        self.order, self.last = [], -1
        self.ended = 0

    def resume(self) -> Any:
        if self.vector < 0:
            return None
        return self.dialect.read(self.where(), limits=SETTINGS.limits)

    def where(self) -> Message:
        state_hash = f"{self.copy.hash():032x}"
        self.asked_from = self.vector
        place = {"epoch": self.epoch, "update_vector": self.vector, "state_hash": state_hash}
        return {"message_type": "resume", **place}

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        id = self.operation_id(number)
        operation = {"type": "patch", "cells": cells}
        self.asked[id] = {"message_type": "operation", "operation_id": id, "operation": operation}
        if strict:
            self.asked[id] |= {"strict": True, "base_vector": max(self.vector, 0)}
        elif number % SAMPLED == 0 or len(cells) > 1:
            self.changes[id] = changes(cells)
        self.submit(self.asked[id])

    def submit(self, message: Message) -> None:
        if self.connected and self.admitted:
            self.order.append(message["operation_id"])
        self.send(message)

    def ask_again(self, message: Message) -> None:
        self.submit(message)

    def invert(self, number: int, word: str) -> None:
        id = self.operation_id(number)
        self.asked[id] = {"message_type": word, "operation_id": id}
        self.submit(self.asked[id])

    def misuse(self, id: str) -> None:
        """I5: an id that was accepted comes again with another payload."""
        self.other_payload.add(id)
        cells = [{"id": "7d3e6f5a-0000-4000-8000-0000000000ff", "operation": "remove"}]
        operation = {"type": "patch", "cells": cells}
        self.send({"message_type": "operation", "operation_id": id, "operation": operation})

    def point(self) -> None:
        self.send({"message_type": "awareness", "cursor": {"x": self.index, "y": self.presenter[0]}})

    def present(self, action: str, user: User | None) -> None:
        whom = {} if user is None else {"user": {"provider": user.provider, "provider_id": user.provider_id}}
        self.send({"message_type": "presenter", "action": action, **whom})

    def eject(self, user: User) -> None:
        whom = {"provider": user.provider, "provider_id": user.provider_id}
        self.send({"message_type": "remove_participant", "user": whom})

    # what comes -------------------------------------------------------------------------------------------------------

    def receive(self, message: Message, written: Written) -> None:
        kind, hold = message["message_type"], self.world.ledger.hold
        hold(self.welcomed or kind in ("welcome", "goodbye"), "I8", self.name, "WS14", message)
        hold(not self.ended, "I21", self.name, "after its end", message)
        match kind:
            case "welcome":
                self.welcomed = True
                self.welcome(message)
            case "state":
                self.state(message, written)
            case "resumed":
                hold(message["epoch"] == self.epoch, "I16", self.name, message)
                hold(message["from"] == self.asked_from, "I17", self.name, self.asked_from, message)
                hold(message["to"] - message["from"] == message["count"], "I17", self.name, message)
                self.deaf = self.looking_back = False
                self.crossed = min(self.vector, message["to"])
            case "event":
                self.event(message, written)
            case "operation_accepted":
                self.receipt(message, written)
            case "operation_rejected":
                self.rejection(message)
            case "heartbeat":
                self.heartbeat(message)
            case "participants":
                present = self.name_of(message["presenter"])
                self.check_presenter(message["presenter_term"], present)
                self.roster = frozenset(p["user"]["provider_id"] for p in message["participants"])
                self.check_left([user["id"] for user in message["left"]], written.at_s)
            case "presenter":
                self.check_presenter(message["term"], self.name_of(message["presenter"]))
            case "goodbye":
                self.ended += 1
                self.world.count[f"goodbye {message['reason']}"] += 1
            case "awareness" | "error":
                pass
            case _:
                raise AssertionError(message)

    def check_left(self, left: list[str], at_s: float) -> None:
        """I22: nobody vanishes who has been here all the time. (What a worker once said may be played again, and
        who changes workers while no news goes round is missed.)"""
        if self.world.unsteady_at_s > at_s - STEADY_S:
            return
        for other in self.world.editors:
            if other.user.id in left and self.world.bus.told_of(other.admitted_at_s, STEADY_S):
                self.world.ledger.hold(
                    not other.here_since(at_s - STEADY_S, at_s), "I22", self.name, "left", other.name
                )

    @staticmethod
    def name_of(person: Message | None) -> str | None:
        return None if person is None else person["provider_id"]

    def welcome(self, message: Message) -> None:
        session = message["session"]
        if session["session_id"] != self.session:
            self.session, self.presenter = session["session_id"], (-1, None)
        self.check_presenter(session["presenter_term"], self.name_of(session["presenter"]))

    def state(self, message: Message, written: Written) -> None:
        hold, vector = self.world.ledger.hold, message["update_vector"]
        hold(message["epoch"] != self.epoch or vector >= self.vector, "I10", self.name, "VEC5", message)
        self.epoch, self.vector, self.deaf = message["epoch"], vector, False
        self.looking_back = False
        self.copy = Copy(message["cells"])
        hold(f"{self.copy.hash():032x}" == message["state_hash"], "I9", self.name, "VEC14")
        self.check_event(vector, written)
        truth = self.world.truth
        flipped = self.world.count["damage"] and any(cell.get("label") == "flipped" for cell in self.copy.cells)
        if truth.epoch == self.epoch and truth.knows(vector) and not flipped:
            # what damaged memory showed is made good once the damage is found
            hold(self.copy.cells == truth.cells(vector), "I9", self.name, vector, self.copy.cells, truth.cells(vector))

    def event(self, message: Message, written: Written) -> None:
        hold, vector = self.world.ledger.hold, message["update_vector"]
        hold(message["epoch"] == self.epoch, "I16", self.name, message)
        if self.asked_from < vector <= self.crossed:
            return
        if self.deaf and vector != self.vector + 1:
            self.look_back()
            return
        hold(vector == self.vector + 1, "I8", self.name, self.vector, message)
        self.crossed = -1
        self.check_event(vector, written, message["operation_id"])
        hold(not (message["operation_id"] in self.yes and self.mine(message)), "I4", self.name, "told twice", message)
        self.take(message["operation"]["cells"])

    def mine(self, message: Message) -> bool:
        return bool(message["by"]["id"] == self.user.id)

    def look_back(self) -> None:
        """What it shows is not what the server has."""
        if not self.looking_back:
            self.looking_back = True
            self.send(self.where())

    def heartbeat(self, message: Message) -> None:
        same = (message["epoch"], message["update_vector"]) == (self.epoch, self.vector)
        same = same and message["state_hash"] == f"{self.copy.hash():032x}"
        if not same and (self.deaf or self.world.count["damage"]):
            self.world.count["heartbeat heals"] += 1
            self.look_back()
        else:
            self.world.ledger.hold(same, "I2", self.name, "heartbeat", self.vector, message)

    def receipt(self, message: Message, written: Written) -> None:
        hold, id, vector = self.world.ledger.hold, message["operation_id"], message["update_vector"]
        hold(message["epoch"] == self.epoch, "I16", self.name, message)
        if not message["changed"]:
            hold(id not in self.yes and id not in self.no, "I6", self.name, id, "no-op and another")
            self.noop.add(id)
            self.asked.pop(id, None)
            return
        asked = self.accepted(id, vector)
        self.check_yes(id, vector, written)
        if message["duplicate"]:
            self.world.count["duplicate"] += 1
            hold(vector <= self.vector or self.deaf, "I4", self.name, self.vector, message)
            return
        if self.deaf and vector != self.vector + 1:
            self.look_back()
            return
        hold(vector == self.vector + 1, "I8", self.name, self.vector, message)
        hold(asked is not None or "cells" in message, "I4", self.name, message)
        self.check_order(id)
        self.check_verdict(id, vector)
        self.take(message["cells"] if "cells" in message else asked["operation"]["cells"])  # type: ignore[index]

    def check_yes(self, id: str, vector: int, written: Written) -> None:
        """I1: a receipt speaks of what is in the log."""
        self.world.ledger.hold(vector <= written.vector, "I1", self.name, id, vector, written.vector)
        for truth in self.world.truths:
            if truth.epoch == written.epoch and truth is self.world.truth and truth.base < vector <= truth.vector:
                row = truth.row(vector)
                same = (row.operation_id, row.user.id) == (id, self.user.id)
                self.world.ledger.hold(same, "I1", self.name, id, vector, row)

    def check_order(self, id: str) -> None:
        """I8: accepted in the order in which they were sent. (One that was refused and sent again came later.)"""
        if id in self.order:
            place = self.order.index(id)
            self.world.ledger.hold(place > self.last, "I8", self.name, id, "out of order", self.order)
            self.last = place

    def check_verdict(self, id: str, vector: int) -> None:
        """I11: what was accepted took effect wholly, as the naive engine says."""
        truth, asked = self.world.truth, self.changes.pop(id, None)
        if asked is not None and truth.epoch == self.epoch and truth.base < vector:
            outcome, hash = truth.apply(vector - 1, asked, SETTINGS.limits)
            true = outcome == "accepted" and hash == truth.hash(vector)
            self.world.ledger.hold(true, "I11", self.name, id, vector, outcome)

    def rejection(self, message: Message) -> None:
        id, reason = message["operation_id"], message["reason"]
        if reason == "operation_id_conflict":
            self.world.ledger.hold(id in self.other_payload, "I5", self.name, message)
            return
        if reason == "conflict_detected":
            self.check_no(id, message["update_vector"])
        if id in self.order:
            self.order[self.order.index(id)] = ""
        self.refused(id, reason)

    def check_no(self, id: str, vector: int) -> None:
        """I6: it is right for some head between send and answer."""
        asked, newest = self.changes.pop(id, None), self.world.truth
        if asked is None or newest.epoch != self.epoch or vector > newest.vector:
            return
        epoch, since = self.sent_at.get(id, (1, 0))
        # by the head that it was judged at, which is most often the newest
        heads = (
            (truth, v) for truth in reversed(self.world.truths[epoch - 1 :]) for v in range(truth.vector, since - 1, -1)
        )
        heads = ((truth, v) for truth, v in heads if truth.base <= v and (truth is not newest or v <= vector))
        outcomes = (truth.apply(v, asked, SETTINGS.limits)[0] for truth, v in heads)
        right = any(outcome not in ("accepted", "no_op") for outcome in outcomes)
        self.world.ledger.hold(right, "I6", self.name, id, "an untrue no", vector)
        self.world.ledger.held["I12"] += 1

    def take(self, cells: list[Message]) -> None:
        for entry in cells:
            self.copy.put(entry["operation"], entry["id"], entry.get("data"))
        self.vector += 1


class Tmi(Editor):
    """TMI's web app: shows its own edits at once, skips events of its own e-mail, applies whole cells of the others."""

    dialect = TMI

    def __init__(self, index: int, name: str, world: World) -> None:
        super().__init__(index, name, world)
        self.vector = -1
        self.seen = -1
        """What it takes over from others: an edit of its own leaves it stale."""
        self.copy = Copy([])
        self.doubtful = False
        self.current: str | None = None

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        id = self.operation_id(number)
        message = {
            "message_type": "diagram_operation_request",
            "operation_id": id,
            "operation": {"type": "patch", "cells": cells},
            "base_vector": max(self.seen, 0),
        }
        self.asked[id] = message
        self.show_and_send(message)

    def show_and_send(self, message: Message) -> None:
        outcome, _ = self.copy.apply(changes(message["operation"]["cells"]), SETTINGS.limits)
        # The app shows only what it could do; what it could not do is refused by the server too, or its copy is stale.
        self.doubtful |= outcome not in ("accepted", "no_op")
        self.send(message)

    def ask_again(self, message: Message) -> None:
        self.show_and_send(message | {"base_vector": max(self.seen, 0)})
        # If it was a no-op the first time, so it is now: only a look at the whole shows what it came to.
        self.doubtful = True

    def invert(self, number: int, word: str) -> None:
        self.send({"message_type": f"{word}_request"})

    def begin(self) -> None:
        self.vector = -1
        self.current = None

    def point(self) -> None:
        self.send({"message_type": "presenter_cursor", "cursor_position": {"x": self.index, "y": 0}})

    def receive(self, message: Message, written: Written) -> None:
        match message["message_type"]:
            case "diagram_state":
                assert message["update_vector"] >= self.vector or len(self.world.truths) > 1, (self.name, message)
                self.check_event(message["update_vector"], written)
                self.vector = self.seen = message["update_vector"]
                self.copy = Copy(message["cells"])
                self.doubtful = False
            case "diagram_operation_event":
                self.event(message, written)
            case "operation_rejected":
                again = message.get("details") == "operation_id_conflict"
                self.world.ledger.hold(not again, "I4", self.name, "a retry is taken for another", message)
                self.refused(message["operation_id"], message["reason"])
                self.doubtful = True
            case "participants_update":
                current = message["current_presenter"]
                self.current = None if current is None else current["provider_id"]
                self.roster = frozenset(p["user"]["provider_id"] for p in message["participants"])
            case "presenter_cursor":
                shown = self.world.names[int(message["cursor_position"]["x"])]
                self.world.ledger.hold(shown == self.current, "I20", self.name, "a cursor of", shown, self.current)
            case "error" | "history_operation" | "authorization_denied" | "presenter_selection":
                pass
            case "presenter_request_event" | "presenter_denied_event":
                pass
            case _:
                raise AssertionError(message)

    def event(self, message: Message, written: Written) -> None:
        hold, id, vector = self.world.ledger.hold, message["operation_id"], message["update_vector"]
        hold(self.vector >= 0, "I8", self.name, message, "WS14")
        mine = message["initiating_user"]["email"] == self.user.email
        # Its own edits count for their vector only; a state under way may have taken the place of others' events.
        hold(mine or vector <= self.vector + 1, "I8", self.name, self.vector, message)
        self.check_event(vector, written)
        self.vector = max(self.vector, vector)
        if mine and id in self.asked:
            # a no-op repeats the vector and is no step; who shows it cannot tell the two apart
            self.asked.pop(id)
        if not mine:
            self.seen = vector
            for entry in message["operation"]["cells"]:
                put(self.copy, entry)


class Classic(Editor):
    """A client of the published page: it applies what others do, and comes anew where its own may look otherwise."""

    dialect = CLASSIC

    def __init__(self, index: int, name: str, world: World) -> None:
        super().__init__(index, name, world)
        self.copy = Copy([])
        self.synced = False
        self.doubtful = False
        self.current: str | None = None

    def begin(self) -> None:
        self.synced = False
        self.current = None

    def edit(self, number: int, cells: list[Message], strict: bool) -> None:
        """No answer tells it what became of that."""
        id = self.operation_id(number)
        self.doubtful = True
        operation = {"type": "patch", "cells": cells}
        self.send({"message_type": "diagram_operation", "operation_id": id, "operation": operation})

    def invert(self, number: int, word: str) -> None:
        self.doubtful = True
        self.send({"message_type": f"{word}_request"})

    def point(self) -> None:
        self.send({"message_type": "presenter_cursor", "cursor_position": {"x": self.index, "y": 0}})

    def receive(self, message: Message, written: Written) -> None:
        match message.get("message_type"):
            case "diagram_state_sync":
                self.synced = True
                self.copy = Copy(message["cells"])
                self.doubtful = False
                self.check_event(message["update_vector"], written)
            case "diagram_operation":
                self.world.ledger.hold(self.synced, "I8", self.name, message, "WS14")
                if not self.doubtful:
                    for entry in message["operation"]["cells"]:
                        self.copy.put(entry["operation"], entry["id"], entry.get("data"))
            case "state_correction" | "authorization_denied" | "history_operation":
                self.doubtful = True
            case "current_presenter":
                self.current = message["current_presenter"] or None
            case "presenter_cursor":
                shown = f"{self.world.names[int(message['cursor_position']['x'])]}@tmi.local"
                self.world.ledger.hold(shown == self.current, "I20", self.name, "a cursor of", shown, self.current)
            case "error" | "presenter_selection" | "presenter_request" | "presenter_denied" | None:
                pass
            case _:
                raise AssertionError(message)


def put(copy: Copy, entry: Message) -> None:
    """A whole cell in place of what is there, as an editor that knows no partial changes does."""
    others = [cell for cell in copy.cells if cell["id"] != entry["id"]]
    if entry["operation"] == "remove":
        copy.cells = others
        return
    whole = {**entry["data"], "id": entry["id"]}
    whole.pop("data", None) if whole.get("data") == {} else None
    if len(others) == len(copy.cells):
        copy.cells = [*copy.cells, whole]
    else:
        copy.cells = [whole if cell["id"] == entry["id"] else cell for cell in copy.cells]


def changes(cells: list[Message]) -> list[CellChange]:
    return [
        CellChange(
            CellId(cell["id"]),
            Verb(cell["operation"]),
            {**cell["data"], "id": cell["id"]} if cell["operation"] == "add" else cell.get("data"),
        )
        for cell in cells
    ]
