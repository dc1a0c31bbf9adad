"""What the server says, as a reader that outlives it takes it: unknown words are kept, unknown messages passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from protocol.codec import Encoding
from protocol.dialects import codraw_v1_messages as wire
from protocol.values import Cell

Message = wire.Message


class State(Message, frozen=True, tag="state"):
    epoch: str
    update_vector: int
    state_hash: str
    reason: str
    resend: bool
    cells: Sequence[Cell]


class OperationRejected(Message, frozen=True, tag="operation_rejected"):
    operation_id: str
    reason: str
    message: str
    affected_cells: Sequence[str] = ()
    current_cells: Sequence[Cell] = ()
    requires_resync: bool = False
    retry: bool = False
    retry_after_ms: int | None = None
    details: Mapping[str, Any] = msgspec.field(default_factory=dict)


class Error(Message, frozen=True, tag="error"):
    error: str
    message: str
    details: Mapping[str, Any] = msgspec.field(default_factory=dict)
    ref: str | None = None


Inbound = (
    wire.Welcome
    | State
    | wire.Repair
    | wire.Resumed
    | wire.Event
    | wire.OperationAccepted
    | OperationRejected
    | wire.Participants
    | wire.Presenter
    | wire.Awareness
    | wire.Heartbeat
    | wire.TokenExpiring
    | wire.TokenRefreshed
    | wire.Done
    | Error
    | wire.Goodbye
)

_read_json = msgspec.json.Decoder(Inbound).decode
_read_msgpack = msgspec.msgpack.Decoder(Inbound).decode


def read(frame: str | bytes, encoding: Encoding) -> Inbound | None:
    """None: nothing that this client knows. It is no loss: what concerns the cells is missed, and asked for again."""
    try:
        message: Inbound = _read_json(frame) if encoding is Encoding.JSON else _read_msgpack(_octets(frame))
    except msgspec.MsgspecError:
        return None
    return message


def _octets(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame
