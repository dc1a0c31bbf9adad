"""The judge: log, traces and reads against the invariants; each is held, violated, or was not exercised.

Pure: it reads what was recorded, and the naive oracle's replay of the log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from protocol.cells import canonical_changes, payload_sha256
from protocol.operations import CellChange, Effect, Kind, Verb
from protocol.values import Limits
from tests.campaign.ledger import Cells, History, Ledger, Logged
from tests.campaign.traces import Entry, Message, Trace, word
from tests.naive import NaiveDiagram

LIMITS = Limits()
CHECKED = (
    "I1", "I2", "I3", "I4", "I6", "I7", "I8", "I9", "I10", "I12", "I13", "I14", "I15", "I16", "I17", "I19", "I20",
    "I21", "I22", "I24", "I25", "I27", "I29",
)  # fmt: skip
HANG_GUARD = 10
"""Times the promise: on real clocks no less is a failure."""
SERVER = "codraw"
IN_PLACE_OF_EVENTS = ("overflow", "too_large")
ROSTER_S = (3.0, 1.0)
"""A socket that has been open for so long, and stays open for so long, does not vanish from a roster."""


class Read(msgspec.Struct, frozen=True):
    """A GET of a diagram at rest."""

    worker: int
    diagram: str
    epoch: str
    vector: int
    cells: list[Message]


class Withdrawn(msgspec.Struct, frozen=True):
    """From this acl_version on the user may not write. `reads`: it may still read. `at`: when that was known."""

    diagram: str
    user: str
    acl_version: int
    at: float
    denied: bool = False
    reads: bool = False
    until_acl: int | None = None


class Ended(msgspec.Struct, frozen=True):
    """A session was ended with this acl_version."""

    diagram: str
    acl_version: int
    at: float


class Awaited(msgspec.Struct, frozen=True):
    """Something that was promised after a heal; None: it had not come when the guard ran out."""

    invariant: str
    what: str
    promise_s: float
    seconds: float | None


class Evidence(msgspec.Struct):
    ledgers: dict[str, Ledger] = {}
    traces: list[Trace] = []
    reads: list[Read] = []
    withdrawn: list[Withdrawn] = []
    ended: list[Ended] = []
    creations: list[list[tuple[int, str]]] = []
    """Of each race: status and session id of every answer."""
    awaited: list[Awaited] = []
    markers: dict[str, str] = {}
    """Diagram -> the part of its cells' ids that no other diagram's have."""
    forged: set[str] = set()
    """Operation ids that only forged news speak of."""


class Verdict:
    def __init__(self) -> None:
        self.checked = 0
        self.violations: list[str] = []

    @property
    def word(self) -> str:
        if self.violations:
            return "violated"
        return "held" if self.checked else "not exercised"


class Checker:
    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.verdicts = {id: Verdict() for id in CHECKED}
        self.histories = {id: History(ledger) for id, ledger in evidence.ledgers.items()}
        self.ids = {
            id: {row.operation_id: row for row in ledger.log} for id, ledger in evidence.ledgers.items()
        }  # fmt: skip

    def judge(self) -> dict[str, Verdict]:
        for history in self.histories.values():
            self._log(history)
            self._undo(history)
        for trace in self.evidence.traces:
            history = self.histories[trace.diagram]
            self._receipts(trace, history)
            self._outcomes(trace, history)
            self._monotone(trace)
            self._marked(trace)
            self._copies(trace, history)
            for socket in trace.sockets():
                self._socket(trace, history, socket)
        self._reads()
        self._rest()
        self._sessions()
        self._rights()
        self._rosters()
        self._awaited()
        return self.verdicts

    def hold(self, id: str, holds: bool, *context: object) -> bool:
        verdict = self.verdicts[id]
        verdict.checked += 1
        if not holds:
            verdict.violations.append(" ".join(str(part)[:400] for part in context))
        return holds

    # the log ----------------------------------------------------------------------------------------------------------

    def _log(self, history: History) -> None:
        ledger = history.ledger
        for broken in history.broken:
            self.hold("I13", False, ledger.diagram, broken)
        before: Logged | None = None
        for row in ledger.log:
            if before is None:
                self.hold("I3", row.vector == 1, ledger.diagram, "the log begins with", row.vector)
            elif before.epoch == row.epoch:
                self.hold("I3", row.vector == before.vector + 1, ledger.diagram, row.vector, "after", before.vector)
            else:
                self.hold("I16", row.vector > before.vector, ledger.diagram, "new epoch falls to", row.vector)
            before = row
            if (place := (row.epoch, row.vector)) in history.hashes:
                self.hold("I13", history.hashes[place] == row.state_hash, ledger.diagram, "hash at", place)
        if before is not None and before.epoch == ledger.epoch:
            head, newest = (ledger.vector, ledger.state_hash), (before.vector, before.state_hash)
            self.hold("I3", head == newest, ledger.diagram, "head", head, "newest row", newest)
            self.hold("I15", ledger.vector == before.vector, ledger.diagram, "the head moved without a row")
        else:
            self.hold("I3", before is not None or ledger.vector == 0, ledger.diagram, "a head without a log")
        for key, count in Counter((row.user, row.operation_id) for row in ledger.log).items():
            self.hold("I4", count == 1, ledger.diagram, key, "stands in the log", count, "times")
        decided = Counter((outcome.user, outcome.operation_id) for outcome in ledger.outcomes)
        verdicts = {(outcome.user, outcome.operation_id): outcome for outcome in ledger.outcomes}
        for key, count in decided.items():
            logged = history.by_id.get(key)
            accepted = verdicts[key].verdict == "accepted"
            self.hold("I12", count == 1 and accepted == (logged is not None), ledger.diagram, key, verdicts[key])

    def _undo(self, history: History) -> None:
        log = history.ledger.log
        wrote: dict[tuple[str, str], str] = {}
        for row in log:
            if row.kind in ("undo", "redo") and row.undo_of is not None:
                self._undone(history, row, wrote)
            for entry in row.effect.cells:
                if entry.verb is Verb.UPDATE:
                    wrote.update(dict.fromkeys(((entry.id, key) for key in entry.data or {}), row.user))
                else:
                    wrote = {key: user for key, user in wrote.items() if key[0] != entry.id}
                    wrote.update({(entry.id, key): row.user for key in entry.data or {}})

    def _undone(self, history: History, row: Logged, wrote: dict[tuple[str, str], str]) -> None:
        diagram, epoch = history.ledger.diagram, row.epoch
        target = history.rows.get((epoch, row.undo_of or 0))
        own = target is not None and target.user == row.user and target.vector < row.vector
        if not self.hold("I14", own, diagram, row.kind, row.vector, "of", row.undo_of, "is not one's own"):
            return
        assert target is not None
        # Attributes may be another's leaf by leaf; the plain keys are judged whole.
        for entry in row.effect.cells:
            if entry.verb is not Verb.UPDATE:
                continue
            for key in entry.data or {}:
                if key in ("attrs", "data", "children", "parent"):
                    continue
                by = wrote.get((entry.id, key), row.user)
                self.hold("I14", by == row.user, diagram, row.kind, row.vector, "took back", key, "that", by, "wrote")
        if row.kind != "undo":
            return
        former = {cell["id"]: cell for cell in history.states.get((epoch, target.vector - 1), ())}
        asked = {entry.id: entry.data or {} for entry in target.effect.cells if entry.verb is Verb.UPDATE}
        for entry in row.effect.cells:
            if entry.verb is not Verb.UPDATE or entry.id not in former:
                continue
            for key, value in (entry.data or {}).items():
                if key in asked.get(entry.id, {}) and key not in ("attrs", "data"):
                    was = former[entry.id].get(key)
                    self.hold("I14", was == value, diagram, "undo", row.vector, "of", target.vector, key, value, was)

    # what authors were told -------------------------------------------------------------------------------------------

    def _receipts(self, trace: Trace, history: History) -> None:
        decided = {(one.user, one.operation_id): one for one in history.ledger.outcomes}
        told: dict[str, object] = {}
        payloads = _payloads(trace)
        for entry, id, vector, changed, epoch in _accepted(trace):
            row, outcome = history.by_id.get((trace.user, id)), decided.get((trace.user, id))
            where = (trace.client, f"worker {entry.worker}", f"{entry.at:.3f}", id)
            if changed:
                stands = row is not None and row.vector == vector and epoch in (None, row.epoch)
                stands = stands and outcome is not None and outcome.vector == vector
                self.hold("I1", stands, *where, "told", (epoch, vector), "log", row and (row.epoch, row.vector))
            else:
                stands = row is None and outcome is not None and outcome.verdict == "no_op"
                self.hold("I1", stands, *where, "told no-op; log", row is not None, "outcome", outcome)
            if outcome is not None and id in payloads:
                self.hold("I1", outcome.payload_sha256 == payloads[id], *where, "another payload is kept")
            answer = (changed, vector) if changed else changed
            self.hold("I4", told.setdefault(id, answer) == answer, *where, answer, "after", told[id])

    def _outcomes(self, trace: Trace, history: History) -> None:
        receipts = {id for _, id, *_ in _accepted(trace)}
        over = any(entry.message.get("over") for entry in trace.entries if entry.what == "copy")
        refused: set[str] = set()
        for entry, message in _refusals(trace):
            id = message["operation_id"]
            refused.add(id)
            where = (trace.client, f"worker {entry.worker}", f"{entry.at:.3f}", id, message.get("reason"))
            self.hold("I6", id not in receipts, *where, "and a receipt")
            self.hold("I12", (trace.user, id) not in history.by_id, *where, "but it is in the log")
            if message.get("reason") == "conflict_detected":
                self._conflict(trace, history, entry, message)
        for id, final in _submitted(trace).items():
            answered = id in receipts or id in refused
            self.hold("I6", answered or over or final, trace.client, id, "has no outcome")

    def _conflict(self, trace: Trace, history: History, entry: Entry, message: Message) -> None:
        """Right for some head between the first sending and the answer."""
        id = message["operation_id"]
        seen, changes = 0, None
        for other in trace.entries:
            if other.what == "sent" and other.message.get("operation_id") == id:
                changes = _changes(other.message)
                break
            seen = max(seen, _vector(other) or 0)
        upper = message.get("update_vector")
        if changes is None or not isinstance(upper, int):
            return
        places = [place for place in history.states if seen <= place[1] <= upper]
        right = any(_refuses(history.states[place], changes) for place in places)
        self.hold("I6", right or not places, trace.client, id, "no head from", seen, "to", upper, "refuses it")

    # one socket -------------------------------------------------------------------------------------------------------

    def _socket(self, trace: Trace, history: History, socket: list[Entry]) -> None:
        match trace.dialect:
            case "codraw.v1":
                Wire(self, trace, history).follow(socket)
            case "tmi":
                self._tmi(trace, history, socket)
            case "classic":
                self._classic(trace, history, socket)
        self._ends(trace, socket)

    def _tmi(self, trace: Trace, history: History, socket: list[Entry]) -> None:
        vector: int | None = None
        own: dict[str, int] = {}
        for entry in socket:
            message = entry.message
            where = (trace.client, f"worker {entry.worker}", f"{entry.at:.3f}")
            if entry.what == "received" and word(message) == "diagram_state":
                vector = message["update_vector"]
                self._state(history, None, vector, message["cells"], *where)
            elif entry.what == "received" and word(message) == "diagram_operation_event":
                at, author = message["update_vector"], message["initiating_user"]
                mine = f"test:{author['provider_id']}" == trace.user or author["provider"] == SERVER
                if vector is not None and at == vector + 1:
                    vector = at
                    self.hold("I8", True)
                else:
                    self.hold("I8", vector is not None and mine and at <= vector, *where, at, "after", vector)
                if author["provider"] != SERVER:
                    user = f"test:{author['provider_id']}"
                    row = history.by_id.get((user, message["operation_id"]))
                    no_op = row is None and user == trace.user
                    known = row is not None and row.vector == at
                    self.hold("I7", known or no_op, *where, "event", at, message["operation_id"], "of", user)
                    if row is not None and user == trace.user:
                        own.setdefault(row.operation_id, row.vector)
        self._rising(trace, socket, own)

    def _classic(self, trace: Trace, history: History, socket: list[Entry]) -> None:
        last, heard = -1, set[str]()
        for entry in socket:
            message = entry.message
            where = (trace.client, f"worker {entry.worker}", f"{entry.at:.3f}")
            if entry.what != "received":
                continue
            if word(message) == "diagram_state_sync":
                last = message["update_vector"]
                self._state(history, None, last, message["cells"], *where)
            elif word(message) == "diagram_operation":
                id = message["operation_id"]
                row = self.ids[trace.diagram].get(id)
                self.hold("I7", row is not None, *where, "an event that is not in the log", id)
                self.hold("I4", id not in heard, *where, "the same event twice", id)
                heard.add(id)
                if row is not None:
                    self.hold("I8", row.vector > last, *where, row.vector, "after", last)
                    last = row.vector

    def _rising(self, trace: Trace, socket: list[Entry], own: dict[str, int]) -> None:
        """Accepted operations of one socket have rising vectors in the order they were first sent there."""
        first = self._first_sent(trace)
        sent = [
            entry.message["operation_id"]
            for entry in socket
            if entry.what == "sent" and first.get(entry.message.get("operation_id", "")) is entry
        ]
        vectors = [own[id] for id in sent if id in own]
        self.hold("I8", vectors == sorted(vectors), trace.client, "own operations out of order", vectors)

    def _first_sent(self, trace: Trace) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for entry in trace.entries:
            if entry.what == "sent" and "operation_id" in entry.message:
                found.setdefault(entry.message["operation_id"], entry)
        return found

    def _state(self, history: History, epoch: str | None, vector: int, cells: list[Message], *where: object) -> None:
        states = history.at(vector, epoch)
        self.hold("I7", bool(states), *where, "a state at", (epoch, vector), "that the log does not know")
        if states:
            self.hold("I9", any(list(state) == cells for state in states), *where, "state", vector, "is another")

    def _ends(self, trace: Trace, socket: list[Entry]) -> None:
        """One end frame, and nothing after it."""
        ended: Entry | None = None
        for entry in socket:
            if entry.what != "received":
                continue
            if ended is not None:
                self.hold("I21", False, trace.client, word(entry.message), "after", word(ended.message))
                return
            if _is_end(entry.message):
                ended = entry
        if ended is not None:
            self.hold("I21", True)

    # over all sockets of a client -------------------------------------------------------------------------------------

    def _monotone(self, trace: Trace) -> None:
        """Vectors that one client sees never fall within an epoch; a GET after a receipt shows it."""
        highest: dict[str, int] = defaultdict(int)
        epoch = ""
        for entry in trace.entries:
            if entry.what not in ("received", "answered"):
                continue
            message = entry.message.get("body") if entry.what == "answered" else entry.message
            if not isinstance(message, dict):
                continue
            epoch = message.get("epoch", epoch) if trace.dialect in ("codraw.v1", "rest") else ""
            vector = _shown(trace.dialect, message)
            if vector is None:
                continue
            holds = vector >= highest[epoch] or (trace.dialect == "tmi" and _is_repeat(message))
            if trace.dialect in ("tmi", "classic") and not holds and len(self._epochs(trace)) > 1:
                continue
            self.hold("I10", holds, trace.client, f"{entry.at:.3f}", word(message), vector, "after", highest[epoch])
            highest[epoch] = max(highest[epoch], vector)

    def _epochs(self, trace: Trace) -> set[str]:
        return {epoch for epoch, _ in self.histories[trace.diagram].states}

    def _marked(self, trace: Trace) -> None:
        """I27: no byte of another diagram; the cells' ids say of which one they are."""
        marker = self.evidence.markers.get(trace.diagram)
        if marker is None:
            return
        for entry in trace.entries:
            if entry.what == "received":
                for id in _cell_ids(entry.message):
                    self.hold("I27", id[19:23] == marker, trace.client, word(entry.message), "shows", id)

    def _copies(self, trace: Trace, history: History) -> None:
        epoch, head = history.head
        for entry in trace.entries:
            if entry.what != "copy" or entry.message.get("over"):
                continue
            message = entry.message
            cells = history.states.get((epoch, head), ())
            if trace.dialect != "classic":
                self.hold("I2", message["vector"] == head, trace.client, "is at", message["vector"], "of", head)
            # I2: in the other dialects the order of cells added at once may differ until the next full state.
            look = list if trace.dialect in ("codraw.v1", "client") else _by_id
            same = look(message["cells"]) == look(cells)
            self.hold("I2", same, trace.client, "has other cells at", message["vector"])
            if "epoch" in message:
                said = (message["epoch"], message["state_hash"])
                self.hold("I2", said == (epoch, history.ledger.state_hash), trace.client, said)

    # reads, sessions, rights ------------------------------------------------------------------------------------------

    def _reads(self) -> None:
        for read in self.evidence.reads:
            history = self.histories[read.diagram]
            where = (f"GET on worker {read.worker}", read.diagram)
            self.hold("I2", (read.epoch, read.vector) == history.head, *where, read.vector, "head", history.head)
            self.hold("I2", tuple(read.cells) == history.states.get(history.head), *where, "shows other cells")

    def _rest(self) -> None:
        """Each GET of a program is a state of the log, not older than what authors had been told before."""
        told: dict[str, list[tuple[float, str, int]]] = defaultdict(list)
        for trace in self.evidence.traces:
            for entry, _, vector, changed, epoch in _accepted(trace):
                if changed and epoch is not None:
                    told[trace.diagram].append((entry.at, epoch, vector))
        for trace in self.evidence.traces:
            asked: dict[int, Entry] = {}
            for entry in trace.entries:
                if entry.what == "asked":
                    asked[entry.connection] = entry
                elif entry.what == "answered":
                    self._answer(trace, asked[entry.connection], entry, told[trace.diagram])

    def _answer(self, trace: Trace, asked: Entry, answer: Entry, told: Sequence[tuple[float, str, int]]) -> None:
        history = self.histories[trace.diagram]
        status, body = answer.message["status"], answer.message.get("body") or {}
        where = (trace.client, f"worker {asked.worker}", f"{asked.at:.3f}", asked.message["method"], status)
        method = asked.message["method"]
        if method == "GET" and status == 200:
            self._state(history, body["epoch"], body["update_vector"], body["cells"], *where)
            due = max((v for at, epoch, v in told if at < asked.at and epoch == body["epoch"]), default=0)
            self.hold("I10", body["update_vector"] >= due, *where, body["update_vector"], "but", due, "was told")
        elif method == "POST" and status == 200 and body.get("changed"):
            row = history.by_id.get((trace.user, body["operation_id"]))
            self.hold("I15", row is not None and row.kind == "rest", *where, "no row of kind rest", row)
        elif method in ("PUT", "PATCH") and status == 200:
            self._state(history, body["epoch"], body["update_vector"], body["cells"], *where)
            self.hold("I15", True)
        elif method in ("PUT", "PATCH") and status == 409:
            self.hold("I15", True)
        elif status >= 500 and status != 503:
            self.hold("I15", False, *where, body)

    def _sessions(self) -> None:
        for ledger in self.evidence.ledgers.values():
            self.hold("I19", len(ledger.live_sessions) <= 1, ledger.diagram, ledger.live_sessions)
        for race in self.evidence.creations:
            winners = [session for status, session in race if status == 201]
            same = all(session == winners[0] for _, session in race) if winners else False
            rest = all(status in (201, 409) for status, _ in race)
            self.hold("I19", len(winners) == 1 and same and rest, race)
        presenters: dict[tuple[str, int], object] = {}
        for trace in self.evidence.traces:
            for entry, term, presenter in _presenters(trace):
                key = (trace.diagram, term)
                known = presenters.setdefault(key, presenter)
                self.hold("I20", known == presenter, trace.client, f"{entry.at:.3f}", key, presenter, "and", known)
            for socket in trace.sockets():
                terms = [term for _, term, _ in _presenters_of(socket)]
                self.hold("I20", terms == sorted(terms), trace.client, "terms fall", terms)

    def _rights(self) -> None:
        for ended in self.evidence.ended:
            rows = self.evidence.ledgers[ended.diagram].log
            after = [row.vector for row in rows if row.acl_version >= ended.acl_version and row.kind != "rest"]
            self.hold("I21", not after, ended.diagram, "operations after the end", after)
        for lost in self.evidence.withdrawn:
            id = "I24" if lost.denied else "I25"
            for row in self.evidence.ledgers[lost.diagram].log:
                late = row.acl_version >= lost.acl_version and (
                    lost.until_acl is None or row.acl_version < lost.until_acl
                )
                if row.user == lost.user:
                    self.hold(id, not late, lost.diagram, lost.user, "wrote", row.vector, "at acl", row.acl_version)
            if lost.reads:
                continue
            for trace in self.evidence.traces:
                if (trace.diagram, trace.user) == (lost.diagram, lost.user):
                    guard = lost.at + 5.0 * HANG_GUARD
                    late_frames = [e for e in trace.entries if e.what == "received" and e.at > guard]
                    self.hold(id, not late_frames, trace.client, "hears", late_frames[:1])

    def _rosters(self) -> None:
        """Nobody who is there vanishes."""
        spans: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for trace in self.evidence.traces:
            for socket in trace.sockets():
                # From its first frame to its last: of a half-open socket the client does not know that it is gone.
                heard = [entry.at for entry in socket if entry.what == "received"]
                if heard:
                    spans[trace.diagram, trace.user].append((heard[0], heard[-1]))
        before, after = ROSTER_S
        for trace in self.evidence.traces:
            for entry in trace.of("participants"):
                for gone in entry.message.get("left", []):
                    there = any(
                        opened < entry.at - before and closed > entry.at + after
                        for opened, closed in spans[trace.diagram, gone["id"]]
                    )
                    self.hold("I22", not there, trace.client, f"{entry.at:.3f}", gone["id"], "has not left")

    def _awaited(self) -> None:
        for one in self.evidence.awaited:
            within = one.seconds is not None and one.seconds <= HANG_GUARD * one.promise_s
            self.hold(one.invariant, within, one.what, one.seconds, "promised within", one.promise_s)


class Wire:
    """One socket of codraw.v1: what may come next."""

    def __init__(self, checker: Checker, trace: Trace, history: History) -> None:
        self.checker, self.trace, self.history = checker, trace, history
        self.epoch, self.vector, self.behind = "", -1, -1
        self.own: dict[str, int] = {}
        self.due: list[int] = []
        """Vectors that a `resumed` has announced."""
        self.heard: set[tuple[str, str]] = set()
        self.where: tuple[object, ...] = ()

    def follow(self, socket: list[Entry]) -> None:
        opened = next((entry.message for entry in socket if entry.what == "opened"), {})
        if place := opened.get("resume"):
            self.epoch, _, vector = place.partition(":")
            self.vector = int(vector)
        for entry in socket:
            if entry.what == "received":
                self.where = (self.trace.client, f"worker {entry.worker}", f"{entry.at:.3f}", word(entry.message))
                self._next(entry.message)
        self.checker._rising(self.trace, socket, self.own)

    def hold(self, id: str, holds: bool, *context: object) -> bool:
        return self.checker.hold(id, holds, *self.where, *context)

    def _next(self, message: Message) -> None:
        match word(message):
            case "state":
                self._state(message)
            case "resumed":
                self.hold(
                    "I17", message["from"] == self.vector and message["epoch"] == self.epoch, message, self.vector
                )
                self.due = list(range(message["from"] + 1, message["to"] + 1))
                self.hold("I17", message["count"] == len(self.due), message)
            case "event":
                self._event(message)
            case "operation_accepted":
                self._accepted(message)
            case "heartbeat":
                self._hash(message)

    def _state(self, message: Message) -> None:
        self.epoch, self.vector = message["epoch"], message["update_vector"]
        self.behind = self.vector if message["reason"] in IN_PLACE_OF_EVENTS else -1
        self.due = []
        self.checker._state(self.history, self.epoch, self.vector, message["cells"], *self.where)
        self._hash(message)

    def _hash(self, message: Message) -> None:
        known = self.history.hashes.get((message["epoch"], message["update_vector"]))
        self.hold("I7", known is not None, "at", message["update_vector"], "is not in the log")
        if known is not None:
            self.hold("I13", known == message["state_hash"], "hash at", message["update_vector"])

    def _event(self, message: Message) -> None:
        vector, id, by = message["update_vector"], message["operation_id"], message["by"]["id"]
        if message["epoch"] != self.epoch:
            self.hold("I16", False, "an event of epoch", message["epoch"], "after a state of", self.epoch)
            return
        self.hold("I16", True)
        if self.due:
            self.hold("I17", vector == self.due.pop(0), "resumed with", vector)
        self._advance(vector)
        self.hold("I4", (by, id) not in self.heard, "the same event twice", by, id)
        self.heard.add((by, id))
        row = self.history.by_id.get((by, id))
        known = row is not None and (row.epoch, row.vector) == (self.epoch, vector)
        self.hold("I7", known and id not in self.checker.evidence.forged, "event", vector, id, "of", by, "log", row)
        if row is not None and known:
            self.hold("I7", _same(row.effect, message["operation"]), "event", vector, "says otherwise than the log")

    def _accepted(self, message: Message) -> None:
        if not message["changed"] or message["duplicate"]:
            return
        vector = message["update_vector"]
        self.own[message["operation_id"]] = vector
        if message["epoch"] == self.epoch and vector > self.behind:
            self._advance(vector)

    def _advance(self, vector: int) -> None:
        self.hold("I8", vector == self.vector + 1, vector, "after", self.vector)
        self.vector = vector


# reading messages -----------------------------------------------------------------------------------------------------


def _accepted(trace: Trace) -> Iterator[tuple[Entry, str, int, bool, str | None]]:
    """Receipts: entry, operation id, vector, whether it changed anything, epoch where it is said."""
    for entry in trace.entries:
        message = entry.message
        if entry.what == "answered" and message.get("status") == 200:
            body = message.get("body")
            if isinstance(body, dict) and "operation_id" in body:
                yield entry, body["operation_id"], body["update_vector"], body["changed"], body.get("epoch")
        elif entry.what == "received" and word(message) == "operation_accepted":
            yield entry, message["operation_id"], message["update_vector"], message["changed"], message["epoch"]
    if trace.dialect == "tmi":
        yield from _echoes(trace)


def _echoes(trace: Trace) -> Iterator[tuple[Entry, str, int, bool, str | None]]:
    """An own event is the receipt; that of a no-op repeats the request at a vector which has passed."""
    asked = {entry.message["operation_id"] for entry in trace.entries if "operation_id" in entry.message
             and entry.what == "sent"}  # fmt: skip
    reached: dict[int, int] = {}
    first: dict[str, tuple[int, bool]] = {}
    for entry in trace.entries:
        message = entry.message
        if entry.what != "received" or word(message) not in ("diagram_operation_event", "diagram_state"):
            continue
        vector, before = message["update_vector"], reached.get(entry.connection, -1)
        reached[entry.connection] = max(vector, before)
        if word(message) == "diagram_state" or message["initiating_user"]["provider"] == SERVER:
            continue
        id = message["operation_id"]
        if id in asked and vector == before + 1:
            first[id] = (vector, True)
            yield entry, id, vector, True, None


def _refusals(trace: Trace) -> Iterator[tuple[Entry, Message]]:
    """Final ones, with the id of what they refuse."""
    asked: dict[int, Message] = {}
    for entry in trace.entries:
        message = entry.message
        if entry.what == "received" and word(message) == "operation_rejected" and not message.get("retry"):
            yield entry, message
        elif entry.what == "asked":
            asked[entry.connection] = message.get("body") or {}
        elif entry.what == "answered" and 400 <= message["status"] < 500 and message["status"] != 429:
            id = asked.get(entry.connection, {}).get("operation_id")
            details = (message.get("body") or {}).get("details") or {}
            if id is not None:
                yield entry, {"operation_id": id, "reason": details.get("reason")}


def _submitted(trace: Trace) -> dict[str, bool]:
    """Operation id -> whether nobody needs to answer it by a message. A no-op of tmi is answered, too."""
    found: dict[str, bool] = {}
    echoed = {
        entry.message["operation_id"]
        for entry in trace.entries
        if entry.what == "received" and word(entry.message) == "diagram_operation_event"
    }
    for entry in trace.entries:
        message = entry.message
        if entry.what == "sent" and "operation_id" in message:
            id = message["operation_id"]
            found[id] = trace.dialect == "classic" or id in echoed
        elif entry.what == "asked" and "operation_id" in (message.get("body") or {}):
            found[message["body"]["operation_id"]] = False
    return found


def _payloads(trace: Trace) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in trace.entries:
        message = entry.message
        if entry.what == "asked":
            message = message.get("body") or {}
        if entry.what not in ("asked", "sent") or not {"operation", "operation_id"} <= message.keys():
            continue
        changes = _changes(message)
        if message["operation_id"] not in found and changes is not None:
            found[message["operation_id"]] = payload_sha256(Kind.EDIT, changes)
    return found


def _changes(message: Message) -> tuple[CellChange, ...] | None:
    if "operation" not in message:
        return None
    return canonical_changes(message["operation"]["cells"], free_ids=True, limits=LIMITS)


def _refuses(cells: Cells, changes: Sequence[CellChange]) -> bool:
    return NaiveDiagram(cells).apply(changes, LIMITS)[0] == "conflict_detected"


def _vector(entry: Entry) -> int | None:
    vector = entry.message.get("update_vector") if entry.what == "received" else None
    return vector if isinstance(vector, int) else None


def _shown(dialect: str, message: Message) -> int | None:
    """The vector up to which this message shows the diagram, if it shows it."""
    if "cells" in message and "update_vector" in message and word(message) != "operation_accepted":
        return int(message["update_vector"])
    if word(message) in ("event", "diagram_operation_event", "sync_status_response"):
        return int(message["update_vector"]) if "update_vector" in message else None
    return None


def _is_repeat(message: Message) -> bool:
    return word(message) == "diagram_operation_event"


def _is_end(message: Message) -> bool:
    fatal = ("session_terminated", "removed_from_session", "session_not_found", "access_denied")
    kind = word(message)
    return kind in ("goodbye", "session_ended") or (kind == "error" and message.get("error") in fatal)


def _cell_ids(message: Message) -> Iterable[str]:
    for cell in message.get("cells") or ():
        yield cell["id"]
    operation = message.get("operation")
    if isinstance(operation, dict):
        for cell in operation.get("cells") or ():
            yield cell["id"]


def _presenters(trace: Trace) -> Iterator[tuple[Entry, int, object]]:
    yield from _presenters_of(trace.entries)


def _presenters_of(entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, object]]:
    for entry in entries:
        message = entry.message
        if entry.what == "received" and word(message) == "participants":
            yield entry, message["presenter_term"], _who(message["presenter"])
        elif entry.what == "received" and word(message) == "presenter" and message["action"] == "changed":
            yield entry, message["term"], _who(message["presenter"])


def _by_id(cells: Iterable[Message]) -> list[Message]:
    return sorted(cells, key=lambda cell: str(cell["id"]))


def _who(user: Any) -> str | None:
    return None if user is None else f"{user['provider']}:{user['provider_id']}"


def _same(effect: Effect, operation: Message) -> bool:
    """Whether an event of codraw.v1 is this row of the log."""
    told = [(cell["id"], cell["operation"], _data(cell)) for cell in operation["cells"]]
    return told == [(entry.id, entry.verb.value, _bare(entry.id, entry.data)) for entry in effect.cells]


def _data(cell: Message) -> Message:
    return {key: value for key, value in (cell.get("data") or {}).items() if key != "id"}


def _bare(id: str, data: Any) -> Message:
    return {key: value for key, value in (data or {}).items() if key != "id"}
