"""A logged operation as a room keeps it: encoded. As objects it takes more than twice as much, and hardly any is looked
at again: when somebody returns who missed it, or takes it back."""

from __future__ import annotations

import msgspec

from protocol.operations import Effect, Inverse, Kind, LoggedOperation, Outcome
from protocol.values import OperationId, User

Done = LoggedOperation | Outcome
"""What moved an undo stack: a row of the log; or, as its outcome, an undo or redo that had no effect (UN6)."""

_encode = msgspec.json.Encoder().encode
_effect = msgspec.json.Decoder(Effect).decode
_rest = msgspec.json.Decoder(tuple[str, Inverse, int]).decode


class Kept(msgspec.Struct, frozen=True, gc=False):
    """`effect`: as JSON. `rest`: its id, inverse and time, as JSON."""

    vector: int
    user: User
    kind: Kind
    group_id: str | None
    undo_of: int | None
    state_hash: int
    effect: bytes
    rest: bytes

    @staticmethod
    def of(done: LoggedOperation) -> Kept:
        rest = _encode((done.operation_id, done.inverse, done.at_ms))
        return Kept(
            done.vector,
            done.user,
            done.kind,
            done.group_id,
            done.undo_of,
            done.state_hash,
            _encode(done.effect),
            rest,
        )

    @property
    def operation(self) -> LoggedOperation:
        """Made anew, however often it is asked for."""
        operation_id, inverse, at_ms = _rest(self.rest)
        return LoggedOperation(
            vector=self.vector,
            operation_id=OperationId(operation_id),
            user=self.user,
            kind=self.kind,
            effect=_effect(self.effect),
            inverse=inverse,
            state_hash=self.state_hash,
            at_ms=at_ms,
            group_id=self.group_id,
            undo_of=self.undo_of,
        )


Step = Kept | Outcome
"""As `Done`, kept."""


def step(done: Done) -> Step:
    return Kept.of(done) if isinstance(done, LoggedOperation) else done
