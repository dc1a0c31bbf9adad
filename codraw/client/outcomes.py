"""What becomes of an edit, an undo or a redo, and the handle that will know."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from protocol.operations import Skipped
from protocol.values import Cell


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """It is in the log, or (`changed` false) there was nothing to do.

    `skipped`: what an undo or redo left alone, because somebody else has changed it since.
    """

    operation_id: str
    vector: int
    changed: bool = True
    skipped: Sequence[Skipped] = ()
    is_accepted: Literal[True] = True


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """It did not happen and will not. `reason`: a word of the protocol, or `closed`, `not_sent`, `too_old`,
    `superseded` (a later one of ours happened first).

    `current_cells`: how cells that were in conflict look now; an affected cell without a body here is gone.
    """

    operation_id: str
    reason: str
    message: str
    affected_cells: Sequence[str] = ()
    current_cells: Sequence[Cell] = ()
    details: Mapping[str, Any] = msgspec.field(default_factory=dict)
    is_accepted: Literal[False] = False


class Unsettled(msgspec.Struct, frozen=True, kw_only=True):
    """It was sent, and we shall not hear what became of it: it may have happened or not. Look at the diagram."""

    operation_id: str
    reason: str
    message: str
    is_accepted: Literal[False] = False


Outcome = Accepted | Rejected | Unsettled


class Asked:
    """Something that was asked of the server. `await` it for its outcome, or do not; it is under way already."""

    def __init__(self, operation_id: str) -> None:
        self.id = operation_id
        self._outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, Outcome]:
        # Who stops waiting does not take the outcome from the others.
        return asyncio.shield(self._outcome).__await__()

    @property
    def outcome(self) -> Outcome | None:
        """None: not known yet."""
        return self._outcome.result() if self._outcome.done() else None

    def settle(self, outcome: Outcome) -> None:
        """The first outcome is the outcome. Called by the live diagram."""
        if not self._outcome.done():
            self._outcome.set_result(outcome)
