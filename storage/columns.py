"""What columns of text and bytes hold: values as JSON, state hashes as hex digits, secrets as digests."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from protocol.cell_list import CellList, as_json
from protocol.operations import Effect, Inverse, Kind, LoggedOperation, Skipped
from protocol.refusals import Refusal
from protocol.statehash import hex32
from protocol.values import Caller, User
from storage.database import DamagedRow, Row, Value

OPERATION = "vector, operation_id, author, kind, effect, inverse, state_hash, committed_at, group_id, undo_of"
"""The columns of which `operation` makes a LoggedOperation."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of an outcome that has no column of its own."""

    refusal: Refusal | None = None
    skipped: tuple[Skipped, ...] = ()
    undo_of: int | None = None


_encode = msgspec.json.Encoder(enc_hook=as_json).encode
_effect = msgspec.json.Decoder(Effect)
_inverse = msgspec.json.Decoder(Inverse)
_answer = msgspec.json.Decoder(Answer)
_caller = msgspec.json.Decoder(Caller)
_user = msgspec.json.Decoder(User)
_cells = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_object = msgspec.json.Decoder(dict[str, Any])
_KINDS = {kind.value: kind for kind in Kind}


def text(value: Any) -> str:
    return _encode(value).decode()


def text_or_none(value: Any) -> str | None:
    return None if value is None else text(value)


@lru_cache(maxsize=4096)
def user(raw: str) -> User:
    return _user.decode(raw)


def user_or_none(raw: str | None) -> User | None:
    return None if raw is None else user(raw)


@lru_cache(maxsize=4096)
def user_text(who: User) -> str:
    return text(who)


def caller(raw: str) -> Caller:
    return _caller.decode(raw)


def fields(raw: str) -> dict[str, Any]:
    return _object.decode(raw)


def cells(raw: str) -> CellList:
    """Raises MsgspecError or ValueError where it is no list of objects. What is in these is read by whoever looks."""
    texts = [bytes(text) for text in _cells.decode(raw)]
    if not all([text.startswith(b"{") for text in texts]):
        raise ValueError("a cell is no object")
    return CellList(texts)


def anything(raw: str) -> Any:
    return msgspec.json.decode(raw)


def answer(raw: str | None) -> Answer:
    return Answer() if raw is None else _answer.decode(raw)


def hash_text(state_hash: int) -> str:
    return hex32(state_hash)


def hash_value(raw: str) -> int:
    return int(raw, 16)


def secret_digest(secret: str) -> bytes:
    """Of a token, ticket or code. They are random and long, so that a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


def operation(row: Row) -> LoggedOperation:
    """Raises DamagedRow."""
    vector, operation_id, author, kind, effect, inverse, state_hash, at_ms, group_id, undo_of = row
    try:
        return LoggedOperation(
            vector=vector,
            operation_id=operation_id,
            user=user(author),
            kind=_KINDS[kind],
            effect=_effect.decode(effect),
            inverse=_inverse.decode(inverse),
            state_hash=hash_value(state_hash),
            at_ms=at_ms,
            group_id=group_id,
            undo_of=undo_of,
        )
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise DamagedRow(vector, f"operation {vector} of the log cannot be read ({error})") from None


def operation_row(done: LoggedOperation) -> tuple[Value, ...]:
    """In the order of OPERATION, and the author's id."""
    return (
        done.vector,
        done.operation_id,
        user_text(done.user),
        done.kind._value_,
        text(done.effect),
        text(done.inverse),
        hash_text(done.state_hash),
        done.at_ms,
        done.group_id,
        done.undo_of,
        done.user.id,
    )
