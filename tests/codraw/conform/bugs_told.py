"""Bugs in what clients are told."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.codraw.conform.planting import mutant


@mutant("OP19", "classic")
def a_classic_sender_gets_its_own_operation_back() -> None:
    from protocol.dialects import classic
    from protocol.dialects.patches import named

    before = classic._accepted

    def accepted(notice: Any) -> Any:
        if notice.operation is None or before(notice):
            return before(notice)
        patch = named(notice.operation.effect, notice.after)
        return (classic.DiagramOperation(notice.by.email, notice.operation_id, patch),)

    classic._accepted = accepted


@mutant("OP13", "codraw.v1")
def nulls_are_not_told() -> None:
    from protocol.dialects import codraw_v1, patches

    before = patches.effective

    def effective(effect: Any) -> Any:
        patch = before(effect)
        for entry in patch.cells:
            if isinstance(entry.data, dict):
                kept = {key: value for key, value in entry.data.items() if value is not None}
                msgspec.structs.force_setattr(entry, "data", kept)
        return patch

    codraw_v1.effective = effective


@mutant("OP13")
def tmi_is_told_the_changed_keys_only() -> None:
    from protocol.dialects import patches, tmi

    tmi.whole = lambda entries, after: patches.Patch([patches.CellEntry(e.id, e.verb, e.data or {}) for e in entries])


@mutant("VEC12")
def sequence_numbers_have_holes() -> None:
    from protocol.dialects import tmi

    before = tmi._event

    def event(*args: Any) -> Any:
        message = before(*args)
        return msgspec.structs.replace(message, sequence_number=2 * message.sequence_number)

    tmi._event = event


@mutant("WS20")
def an_ordinary_failure_is_an_error_frame() -> None:
    from protocol.dialects import tmi

    def rejected(notice: Any) -> Any:
        return tmi.Error(notice.refusal.reason.value, notice.refusal.message, "2026-01-01T00:00:00Z")

    tmi._rejected = rejected


@mutant("WS3", "tmi")
def two_objects_stand_in_one_frame() -> None:
    from collab import fanout

    before = fanout.encode

    def encode(message: Any, encoding: Any) -> bytes:
        raw = before(message, encoding)
        return raw + b"\n" + before({"message_type": "ping"}, encoding) if hasattr(message, "operation") else raw

    fanout.encode = encode


@mutant("WS16", "classic")
def classic_is_told_4403() -> None:
    from protocol.dialects import classic

    classic.RETRYLESS = frozenset()


@mutant("WS14")
def the_roster_comes_before_the_state() -> None:
    from collab.core.door import Door
    from protocol.notices import RosterChanged

    before = Door._first_look

    def first_look(self: Any, event: Any, present: Any) -> Any:
        state = self._state
        roster = RosterChanged(state.roster.view(state.session), 0, joined=(event.caller.user,))
        return (roster, *before(self, event, present))

    Door._first_look = first_look


@mutant("WS17", "codraw.v1")
def resume_leaves_out_the_last_event() -> None:
    from collab.core import door, resume, room

    def look_back(*args: Any) -> Any:
        first, *missed = resume.look_back(*args)
        return (first, *missed[:-1])

    door.look_back = room.look_back = look_back


@mutant("WS17", "codraw.v1")
def a_repair_says_nothing_of_what_to_remove() -> None:
    from collab.core import resume

    before = resume._repaired

    def repaired(*args: Any) -> Any:
        found = before(*args)
        return None if found is None else msgspec.structs.replace(found, removed=())

    resume._repaired = repaired


@mutant("WS6", "classic")
def frames_are_compressed() -> None:
    from codraw import serve

    before = serve.uvicorn_config

    def config(app: Any) -> Any:
        made = before(app)
        made.ws_per_message_deflate = True
        return made

    serve.uvicorn_config = config
