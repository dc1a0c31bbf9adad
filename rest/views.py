"""Rows become bodies: in the form of the wiki page or of TMI's clients, by one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collab.ports import Member, Session
from protocol.dialects.times import rfc3339
from protocol.values import User
from rest.ports import Counts, DiagramRow, Entry, Item, ItemKind, ThreatModel, Viewed
from rest.problems import INVALID

View = dict[str, Any]

ANY_PROVIDER = "*"
"""How an entry says that it names no provider."""
LISTED = ("name", "description", "threat_model_framework", "status", "status_updated", "security_reviewer")
"""Fields of a threat model that a list shows."""
RESOURCES: Mapping[ItemKind, str] = {
    ItemKind.THREAT: "threats",
    ItemKind.ASSET: "assets",
    ItemKind.DOCUMENT: "documents",
    ItemKind.REPOSITORY: "repositories",
    ItemKind.NOTE: "notes",
}
"""The nested collections of a threat model: their names in bodies and addresses."""
SHOWN_ALWAYS: Mapping[ItemKind, Mapping[str, Any]] = {
    ItemKind.THREAT: {"severity": None, "status": "open", "threat_type": ()}
}
"""Reports index these without asking; TMI's generated client wants a list of types."""


def user_form(user: User) -> View:
    return {
        "principal_type": "user",
        "provider": user.provider,
        "provider_id": user.provider_id,
        "email": user.email,
        "display_name": user.display_name,
    }


def email(user: User) -> str:
    return user.email


def participant_by_email(member: Member) -> View:
    return {
        "user_id": member.user.email,
        "joined_at": rfc3339(member.joined_at_ms),
        "permissions": permissions(member.role),
    }


def participant_by_user(member: Member) -> View:
    return {
        "user": user_form(member.user),
        "last_activity": rfc3339(member.last_activity_ms),
        "permissions": permissions(member.role),
    }


def permissions(role: str) -> str:
    """An owner counts as writer (SES17)."""
    return "reader" if role == "reader" else "writer"


@dataclass(frozen=True, slots=True)
class Forms:
    """Where the two written contracts contradict each other: the rows of the table, a column each."""

    person: Callable[[User], Any]
    """`owner` and `created_by` of a threat model, `host` and `presenter` of a session."""
    participant: Callable[[Member], View]
    bare_models: bool
    """GET /threat_models without paging parameters is an array."""
    bare_metadata: bool
    whole_diagrams: bool
    """`diagrams[]` inside a threat model have their cells."""
    token_type: str
    bare_bulk: bool
    """What a bulk call made or changed is an array."""
    audit_entries: bool = False
    """A trail is told in TMI's words too."""
    invalid: int = INVALID
    """The status of a refusal of what is well-formed but against a rule: TMI's clients know 400."""


WIKI = Forms(email, participant_by_email, True, False, False, "Bearer", False)
TMI = Forms(user_form, participant_by_user, False, True, True, "bearer", True, True, 400)
PROFILES: Mapping[str, Forms] = {"wiki": WIKI, "tmi": TMI}
"""By the setting `api_profile`."""


def entry_form(entry: Entry) -> View:
    """In both spellings that `bodies.EntryFields` takes."""
    if entry.principal_type == "group":
        subject = provider_id = entry.name
    else:
        subject, provider_id = entry.email or entry.provider_id, entry.provider_id or entry.email
    return {
        "principal_type": entry.principal_type,
        "subject_type": entry.principal_type,
        "provider": entry.provider or ANY_PROVIDER,
        "provider_id": provider_id,
        "display_name": entry.name or subject,
        "email": entry.email,
        "subject": subject,
        "role": entry.role.word,
    }


def metadata_form(metadata: Mapping[str, str]) -> list[View]:
    return [{"key": key, "value": value} for key, value in metadata.items()]


def _times(row: ThreatModel | DiagramRow | Item) -> View:
    return {"created_at": rfc3339(row.created_at_ms), "modified_at": rfc3339(row.modified_at_ms)}


def _counts(counts: Counts) -> View:
    return {
        "diagram_count": counts.diagrams,
        "threat_count": counts.threats,
        "document_count": counts.documents,
        "repo_count": counts.repositories,
        "asset_count": counts.assets,
        "note_count": counts.notes,
    }


def _people(model: ThreatModel, forms: Forms) -> View:
    return {"owner": forms.person(model.owner), "created_by": forms.person(model.created_by)}


def threat_model_item(model: ThreatModel, counts: Counts, forms: Forms) -> View:
    listed = {name: model.fields.get(name) for name in LISTED}
    return {"id": model.id, **listed, **_people(model, forms), **_times(model), **_counts(counts)}


def threat_model(
    model: ThreatModel, counts: Counts, forms: Forms, diagrams: Sequence[View], items: Mapping[str, Sequence[View]]
) -> View:
    """`items`: the lists of the nested collections by their names."""
    return {
        **model.fields,
        **threat_model_item(model, counts, forms),
        "authorization": [entry_form(entry) for entry in model.entries],
        "metadata": metadata_form(model.metadata),
        "diagrams": diagrams,
        **items,
    }


def diagram_item(row: DiagramRow) -> View:
    image = {"image": row.fields["image"]} if "image" in row.fields else {}
    return {
        "id": row.id,
        "name": row.fields["name"],
        "type": row.fields["type"],
        "description": row.fields.get("description"),
        **_times(row),
        **image,
        "update_vector": row.vector,
    }


def diagram(row: DiagramRow, viewed: Viewed) -> View:
    return {
        **row.fields,
        **diagram_item(row),
        "threat_model_id": row.threat_model_id,
        "update_vector": viewed.vector,
        "epoch": viewed.epoch,
        "cells": viewed.cells,
        "metadata": metadata_form(row.metadata),
    }


def item(kind: ItemKind, row: Item) -> View:
    """`title` is another spelling of a threat's `name`."""
    spelled = {"title": row.fields["name"]} if kind is ItemKind.THREAT else {}
    return {
        **SHOWN_ALWAYS.get(kind, {}),
        **row.fields,
        **spelled,
        "id": row.id,
        "threat_model_id": row.threat_model_id,
        **_times(row),
        "metadata": metadata_form(row.metadata),
    }


def session(session: Session, names: tuple[str, str], members: Sequence[Member], url: str, forms: Forms) -> View:
    """`names` of threat model and diagram; `url` of the socket, without a query string."""
    return {
        "session_id": session.id,
        "host": forms.person(session.host),
        "presenter": forms.person(session.presenter) if session.presenter else None,
        "threat_model_id": session.threat_model_id,
        "threat_model_name": names[0],
        "diagram_id": session.diagram_id,
        "diagram_name": names[1],
        "participants": [forms.participant(member) for member in members],
        "websocket_url": url,
    }
