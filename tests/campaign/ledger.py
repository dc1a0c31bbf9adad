"""The store's own account, read behind the servers' backs, and what the naive oracle makes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import deepcopy
from hashlib import sha256
from typing import Any

import msgspec

from protocol.operations import Effect
from protocol.statehash import hex32
from tests.naive import NaiveDiagram, canonical

Rows = Callable[..., Awaitable[list[dict[str, Any]]]]
Cells = tuple[dict[str, Any], ...]
Place = tuple[str, int]
"""(epoch, vector)."""


class Logged(msgspec.Struct, frozen=True):
    epoch: str
    vector: int
    acl_version: int
    user: str
    operation_id: str
    kind: str
    undo_of: int | None
    effect: Effect
    state_hash: str


class Decided(msgspec.Struct, frozen=True):
    user: str
    operation_id: str
    payload_sha256: bytes
    epoch: str
    vector: int
    verdict: str


class Ledger(msgspec.Struct):
    """One diagram: its head, the log in order, outcomes, and the ids of its sessions that live."""

    diagram: str
    epoch: str
    vector: int
    state_hash: str
    acl_version: int
    log: list[Logged]
    outcomes: list[Decided]
    live_sessions: list[str]


async def read(rows: Rows, diagram: str) -> Ledger:
    (head,) = await rows("SELECT * FROM diagram_head WHERE id = $1", diagram)
    number = head["number"]
    log = await rows("SELECT * FROM diagram_op WHERE diagram = $1 ORDER BY committed_at, vector", number)
    outcomes = await rows("SELECT * FROM diagram_outcome WHERE diagram = $1", number)
    live = await rows("SELECT id FROM session WHERE diagram_id = $1 AND ended_at IS NULL", diagram)
    return Ledger(
        diagram=diagram,
        epoch=head["epoch"],
        vector=head["vector"],
        state_hash=head["state_hash"],
        acl_version=head["acl_version"],
        log=in_order([_logged(row) for row in log], head["epoch"]),
        outcomes=[_decided(row) for row in outcomes],
        live_sessions=[row["id"] for row in live],
    )


def in_order(log: list[Logged], last: str) -> list[Logged]:
    """By epoch, in order of appearance, the head's last; and by vector."""
    epochs = [epoch for epoch in dict.fromkeys(row.epoch for row in log) if epoch != last] + [last]
    return sorted(log, key=lambda row: (epochs.index(row.epoch), row.vector))


def _logged(row: dict[str, Any]) -> Logged:
    return Logged(
        epoch=row["epoch"],
        vector=row["vector"],
        acl_version=row["acl_version"],
        user=row["user_id"],
        operation_id=row["operation_id"],
        kind=row["kind"],
        undo_of=row["undo_of"],
        effect=msgspec.json.decode(row["effect"], type=Effect),
        state_hash=row["state_hash"],
    )


def _decided(row: dict[str, Any]) -> Decided:
    return Decided(
        user=row["user_id"],
        operation_id=row["operation_id"],
        payload_sha256=bytes(row["payload_sha256"]),
        epoch=row["epoch"],
        vector=row["vector"],
        verdict=row["verdict"],
    )


class History:
    """Every state there has been, by the naive replay. `first` are the cells at creation."""

    def __init__(self, ledger: Ledger, first: Cells = ()) -> None:
        self.ledger = ledger
        self.states: dict[Place, Cells] = {}
        self.hashes: dict[Place, str] = {}
        self.rows: dict[Place, Logged] = {(row.epoch, row.vector): row for row in ledger.log}
        self.by_id: dict[tuple[str, str], Logged] = {}
        self.broken: list[str] = []
        self._digests: dict[int, int] = {}
        self._kept: list[dict[str, Any]] = []
        self._replay(first)

    def _replay(self, first: Cells) -> None:
        naive = NaiveDiagram(list(first))
        place: Place | None = None
        for row in self.ledger.log:
            if place is None or place[0] != row.epoch:
                self._keep((row.epoch, row.vector - 1), naive)
            touched = {entry.id for entry in row.effect.cells}
            # What stood before stays as it was: the oracle changes cells in place.
            naive.cells = [deepcopy(cell) if cell["id"] in touched else cell for cell in naive.cells]
            place = (row.epoch, row.vector)
            try:
                naive.replay(row.effect)
            except Exception as error:
                self.broken.append(f"{place}: the effect cannot be replayed ({error!r})")
                return
            self._keep(place, naive)
            self.by_id.setdefault((row.user, row.operation_id), row)
        if place is None or place[0] != self.ledger.epoch:
            self._keep((self.ledger.epoch, self.ledger.vector), naive)

    def _keep(self, place: Place, naive: NaiveDiagram) -> None:
        self.states[place] = tuple(naive.cells)
        total = sum(self._digest(cell) for cell in naive.cells)
        self.hashes[place] = hex32(total % 2**128)

    def _digest(self, cell: dict[str, Any]) -> int:
        """By identity: a cell that was not touched is the same object."""
        if id(cell) not in self._digests:
            self._kept.append(cell)
            self._digests[id(cell)] = int.from_bytes(sha256(canonical(cell)).digest()[:16], "big")
        return self._digests[id(cell)]

    @property
    def head(self) -> Place:
        return self.ledger.epoch, self.ledger.vector

    def at(self, vector: int, epoch: str | None = None) -> list[Cells]:
        """The states with this vector, in one epoch or in any."""
        if epoch is not None:
            return [self.states[epoch, vector]] if (epoch, vector) in self.states else []
        return [cells for (_, at), cells in self.states.items() if at == vector]
