"""What rooms of one diagram tell each other over the bus, sealed: whoever can write to the bus cannot edit a diagram.

A piece of news is the sender's name, a MAC and the payload. The MAC covers the diagram, too.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

import msgspec

from collab.core.effects import Publish
from collab.core.events import (
    Claimed,
    Declined,
    Heard,
    Pointed,
    RightsMoved,
    RollCalled,
    Said,
    SessionMoved,
    Spoken,
    Wanted,
)
from protocol.operations import Effect, Inverse, Kind, LoggedOperation
from protocol.values import DiagramId, OperationId, SessionId, User, UserId

MAC = 16
HASH = 16
"""Bytes of a state hash, which no number of MessagePack holds."""
EVERYWHERE = DiagramId("-")
"""No diagram's, but of all workers."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A LoggedOperation on this wire."""

    vector: int
    operation_id: OperationId
    user: User
    kind: Kind
    effect: Effect
    inverse: Inverse
    state_hash: bytes
    at_ms: int
    group_id: str | None
    undo_of: int | None


class Wrote(msgspec.Struct, frozen=True, tag="wrote"):
    """Of `Publish`, to be `Heard`."""

    epoch: str
    operations: tuple[Row, ...]
    used_up: tuple[UserId, ...] = ()


class Standing(msgspec.Struct, frozen=True, tag="standing"):
    """Of many rooms at once, to be `Stood` for each: diagram, session, and the number of what was said last."""

    rooms: tuple[tuple[DiagramId, SessionId, int], ...]
    worker: str = ""


News = Standing | Wrote | Said | Pointed | Wanted | Declined | RollCalled | SessionMoved | RightsMoved | Claimed


class _Parcel(msgspec.Struct, frozen=True, array_like=True):
    """`serial` rises with everything that a worker says."""

    serial: int
    news: News


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Parcel).decode


class Seal:
    """Makes and opens the news of one worker. `refused`: how much was no worker's, or could not be read."""

    def __init__(self, secret: bytes, worker: str) -> None:
        self.refused = 0
        self.serial = 0
        """Of what was sealed last."""
        self._key = blake2b(secret, digest_size=32, person=b"codraw news").digest()
        name = worker.encode()
        self._front = bytes((len(name),)) + name

    def sealed(self, diagram: DiagramId, news: Publish | Spoken | Standing) -> bytes:
        self.serial += 1
        payload = _encode(_Parcel(self.serial, _wrote(news) if isinstance(news, Publish) else news))
        return b"".join((self._front, self._mac(diagram, self._front, payload), payload))

    def opened(self, diagram: DiagramId, sealed: bytes) -> Heard | Spoken | Standing | None:
        """The event that it is for a room; None: our own, or not to be believed."""
        if sealed.startswith(self._front):
            return None
        end = 1 + sealed[0] if sealed else 0
        front, mac, payload = sealed[:end], sealed[end : end + MAC], sealed[end + MAC :]
        if not compare_digest(mac, self._mac(diagram, front, payload)):
            self.refused += 1
            return None
        try:
            return _event(_decode(payload), front[1:].decode())
        except (msgspec.MsgspecError, ValueError):
            # of another version of the program, which has the key, too
            self.refused += 1
            return None

    def _mac(self, diagram: DiagramId, front: bytes, payload: bytes) -> bytes:
        mac = blake2b(key=self._key, digest_size=MAC)
        name = diagram.encode()
        mac.update(b"%b%d:%b" % (front, len(name), name))
        mac.update(payload)
        return mac.digest()


def _event(parcel: _Parcel, worker: str) -> Heard | Spoken | Standing:
    match parcel.news:
        case Wrote(epoch=epoch, operations=rows, used_up=used_up):
            return Heard(epoch, tuple(map(_operation, rows)), used_up=used_up)
        case Standing() as standing:
            return msgspec.structs.replace(standing, worker=worker)
        case Said() as said:
            return msgspec.structs.replace(said, worker=worker, serial=parcel.serial)
        case Pointed() as pointed:
            return msgspec.structs.replace(pointed, serial=parcel.serial)
        case news:
            return news


def _wrote(publish: Publish) -> Wrote:
    return Wrote(publish.epoch, tuple(map(_row, publish.operations)), publish.used_up)


def _row(operation: LoggedOperation) -> Row:
    return Row(
        operation.vector,
        operation.operation_id,
        operation.user,
        operation.kind,
        operation.effect,
        operation.inverse,
        operation.state_hash.to_bytes(HASH, "big"),
        operation.at_ms,
        operation.group_id,
        operation.undo_of,
    )


def _operation(row: Row) -> LoggedOperation:
    return LoggedOperation(
        vector=row.vector,
        operation_id=row.operation_id,
        user=row.user,
        kind=row.kind,
        effect=row.effect,
        inverse=row.inverse,
        state_hash=int.from_bytes(row.state_hash, "big"),
        at_ms=row.at_ms,
        group_id=row.group_id,
        undo_of=row.undo_of,
    )
