"""Who did what, when, by which door: `TM/audit_trail`, `DG/audit_trail`, and how what changed is noted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from protocol.dialects.times import rfc3339
from protocol.statehash import canonical_bytes
from protocol.values import SERVER_USER, Role, UserId
from rest import rights
from rest.answers import answer
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.paging import counted, moment, page
from rest.ports import Action, Change, ChangesWanted, DiagramRow, Entry, Item, ItemKind, Page, ThreatModel
from rest.problems import bad_field
from rest.views import View, entry_form, user_form

Holder = ThreatModel | DiagramRow | Item
OBJECT_TYPES = ("threat_model", "diagram", *ItemKind, "metadata", "authorization", "session")
LINES = uuid.UUID("0d0a4a3c-5f0e-4b7c-9f0f-3f6d2b8f1a27")
"""Namespace of the ids of lines, which TMI's clients want to be UUIDs."""
THEIR_ACTIONS = (Action.CREATED, Action.UPDATED, Action.DELETED)
NAMED = 50
"""Members, roles or keys that one line names."""


class AuditTrail:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def of_threat_model(self, call: Call) -> Response:
        id = call.threat_model_id
        await rights.on_model(self.deps, call, id, Role.READER)
        asked = page(call.request)
        changes, total = await self.deps.trail.of_threat_model(id, wanted(call.query), asked)
        return trail(call, changes, total, asked)

    async def of_diagram(self, call: Call) -> Response:
        id = call.diagram_id
        await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.READER)
        asked = page(call.request)
        changes, total = await self.deps.trail.of_diagram(id, wanted(call.query), asked)
        return trail(call, changes, total, asked)


def trail(call: Call, changes: Sequence[Change], total: int, asked: Page) -> Response:
    """RE2; and for TMI's clients, which read nothing else, the same once more in their words."""
    lines = [entry(change) for change in changes]
    theirs = {"audit_entries": [audit_entry(change) for change in changes]} if call.forms.audit_entries else {}
    body = {
        "items": lines,
        "audit_trail": lines,
        **theirs,
        "total": total,
        "limit": asked.limit,
        "offset": asked.offset,
    }
    return answer(body, headers=counted(total))


def audit_entry(change: Change) -> View:
    """What they have no word for is a change of the object that it belongs to."""
    by = change.by or SERVER_USER
    object_type, object_id = change.object_type, change.object_id
    match object_type:
        case "metadata":
            object_type = change.detail.get("of", "threat_model")
        case "authorization":
            object_type = "threat_model"
        case "session":
            object_type, object_id = "diagram", change.diagram_id or object_id
    is_theirs = object_type == change.object_type and change.action in THEIR_ACTIONS
    return {
        "id": str(uuid.uuid5(LINES, f"{change.threat_model_id}:{change.id}")),
        "threat_model_id": change.threat_model_id,
        "object_type": object_type,
        "object_id": object_id,
        "version": change.update_vector,
        "change_type": change.action if is_theirs else Action.UPDATED,
        "actor": {
            "email": by.email,
            "provider": by.provider,
            "provider_id": by.provider_id,
            "display_name": by.display_name,
        },
        "change_summary": f"{change.object_type} {change.action}",
        "created_at": rfc3339(change.at_ms),
    }


def entry(change: Change) -> View:
    vector = {} if change.update_vector is None else {"update_vector": change.update_vector}
    return {
        "id": change.id,
        "at": rfc3339(change.at_ms),
        "by": None if change.by is None else user_form(change.by),
        "action": change.action,
        "object_type": change.object_type,
        "object_id": change.object_id,
        "threat_model_id": change.threat_model_id,
        "diagram_id": change.diagram_id,
        "door": change.door,
        **vector,
        "details": change.detail,
    }


def wanted(query: Mapping[str, str]) -> ChangesWanted:
    """Raises 400 `invalid_input`: who looks for what cannot be there has made a slip."""
    by = query.get("by") or None
    if by is not None and "\0" in by:
        raise bad_field("by", "must be provider:provider_id", status=400, error="invalid_input")
    return ChangesWanted(
        actions=_words(query, "action", tuple(Action)),
        object_types=_words(query, "object_type", OBJECT_TYPES),
        by=None if by is None else UserId(by),
        since_ms=moment(query, "since"),
        until_ms=moment(query, "until"),
    )


def _words(query: Mapping[str, str], name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    words = tuple(word.strip() for word in query.get(name, "").split(",") if word.strip())
    if not set(words) <= set(known):
        raise bad_field(name, f"one or several of {', '.join(known)}", status=400, error="invalid_input")
    return words


def difference(before: Holder, after: Holder) -> dict[str, Any]:
    """Which members of a row changed, which keys of its metadata and, of a threat model, whose role."""
    details: dict[str, Any] = {"changed": changed(_members(before), _members(after))}
    if before.metadata != after.metadata:
        details["keys"] = changed(before.metadata, after.metadata)
    if isinstance(before, ThreatModel) and isinstance(after, ThreatModel) and before.entries != after.entries:
        details["roles"] = roles(before, after)
    return details


def _members(row: Holder) -> Mapping[str, Any]:
    people = {"owner": row.owner, "authorization": row.entries} if isinstance(row, ThreatModel) else {}
    return {**row.fields, "metadata": row.metadata, **people}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of the members that differ."""
    names = {name for name in (*before, *after) if not same(before.get(name), after.get(name))}
    return sorted(names)[:NAMED]


def same(old: Any, new: Any) -> bool:
    """Equal canonical bytes (OP16). Python takes True for 1, also inside lists and objects."""
    return old is new or (old == new and canonical_bytes(old) == canonical_bytes(new))


def roles(before: ThreatModel, after: ThreatModel) -> list[View]:
    """Who has another role than before; None: no entry."""
    was = {_subject(entry): entry.role.word for entry in before.entries}
    now = {_subject(entry): entry.role.word for entry in after.entries}
    moved = [subject for subject in {**was, **now} if was.get(subject) != now.get(subject)]
    return [{"subject": subject, "was": was.get(subject), "role": now.get(subject)} for subject in moved[:NAMED]]


def _subject(entry: Entry) -> str:
    form = entry_form(entry)
    return f"{form['principal_type']} {form['provider']}:{form['provider_id']}"
