"""An operation of codraw.v1 as nearly all are, straight from its JSON frame: a fifth less CPU than the long way.

Whatever is not quite so, right or wrong, is None: the long way (`codec.decode`, then `inbound.read`) knows what to say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.cell_keys import is_uuid
from protocol.cells import canonical_changes, payload_sha256, respelled
from protocol.codec import MAX_NUMBER, UNREADABLE, canonical_values, each_key_once, spells_nul
from protocol.dialects.requests import EDIT, MAX_ID_CHARACTERS
from protocol.intents import Edit
from protocol.refusals import CellError
from protocol.values import Limits, OperationId

Name = Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)]


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["patch"]
    cells: list[Any]


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    message_type: Literal["operation"]
    operation_id: str
    operation: Patch
    base_vector: Annotated[int, Meta(ge=0, le=MAX_NUMBER)] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET
    group_id: Name | UnsetType = UNSET
    ref: Name | UnsetType = UNSET


KEYS = 5
"""Those that are always there: three of the message and two of its patch."""
LEVEL = 3
"""Of `cells`: the message is level 1."""

_read = msgspec.json.Decoder(Operation).decode


def plain_edit(frame: bytes, limits: Limits) -> Edit | None:
    if spells_nul(frame):
        return None
    try:
        asked = _read(frame)
        cells = asked.operation.cells
        keys = canonical_values(cells, LEVEL)
        changes = canonical_changes(cells, free_ids=False, limits=limits)
    except (*UNREADABLE, CellError):
        return None
    base, strict, group, ref = asked.base_vector, asked.strict, asked.group_id, asked.ref
    keys += KEYS + (base is not UNSET) + (strict is not UNSET) + (group is not UNSET) + (ref is not UNSET)
    if not each_key_once(frame, keys) or not is_uuid(asked.operation_id) or (strict is True and base is UNSET):
        return None
    return Edit(
        OperationId(asked.operation_id.lower()),
        changes,
        payload_sha256(EDIT, changes),
        None if base is UNSET else base,
        strict is True,
        None if group is UNSET else group,
        None if ref is UNSET else ref,
        EDIT,
        respelled(cells, changes),
    )
