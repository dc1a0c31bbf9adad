"""Rows in the form of the wiki page and of TMI's clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from collab.ports import Member, Session
from protocol.values import DiagramId, Role, SessionId, ThreatModelId, User
from rest import views
from rest.identity import ACCESS_COOKIE
from rest.ports import Entry
from rest.views import TMI, WIKI, Forms
from tests.support.edges import NODE, Somebody, edge

ALICE = User("test", "alice", "alice@tmi.local", "Alice")


@pytest.mark.parametrize(
    ("entry", "subject", "provider", "provider_id"),
    [
        (Entry("user", Role.WRITER, "test", "bob", "bob@x.y", "Bob"), "bob@x.y", "test", "bob"),
        (Entry("user", Role.WRITER, "test", "bob"), "bob", "test", "bob"),
        (Entry("user", Role.WRITER, email="late@x.y"), "late@x.y", "*", "late@x.y"),
        (Entry("group", Role.WRITER, "corp", name="staff"), "staff", "corp", "staff"),
        (Entry("group", Role.WRITER, name="everyone"), "everyone", "*", "everyone"),
    ],
)
def test_an_entry_shows_both_spellings(entry: Entry, subject: str, provider: str, provider_id: str) -> None:
    form = views.entry_form(entry)
    assert (form["subject"], form["provider"], form["provider_id"]) == (subject, provider, provider_id)
    assert form["principal_type"] == form["subject_type"] == entry.principal_type
    assert form["role"] == "writer"
    assert form["display_name"]


@pytest.mark.parametrize(("role", "permissions"), [("reader", "reader"), ("writer", "writer"), ("owner", "writer")])
def test_SES17_an_owner_counts_as_writer(role: str, permissions: str) -> None:
    assert views.permissions(role) == permissions


PERSON = {
    "principal_type": "user",
    "provider": "test",
    "provider_id": "alice",
    "email": "alice@tmi.local",
    "display_name": "Alice",
}


@pytest.mark.parametrize(
    ("profile", "by_cookie", "tmi"),
    [("wiki", False, False), ("wiki", True, True), ("tmi", False, True), ("tmi", True, True)],
)
async def test_the_two_contracts_differ_in_these_bodies_only(
    tmp_path: Path, profile: str, by_cookie: bool, tmi: bool
) -> None:
    async with edge(tmp_path, profile=profile) as here:
        alice = await here.as_("alice")
        if by_cookie:
            alice = Somebody(here.client(cookies={ACCESS_COOKIE: alice.token}), alice.caller, alice.token)
        model = await alice.threat_model(metadata={"k": "v"})
        diagram = await alice.diagram(model, [NODE])
        session = await alice.post(f"{diagram}/collaborate")
        whole, metadata = await alice.get(model), [{"key": "k", "value": "v"}]
        person = PERSON if tmi else "alice@tmi.local"
        assert (session["host"], whole["owner"], whole["created_by"]) == (person, person, person)
        (participant,) = session["participants"]
        assert participant.keys() >= ({"user", "last_activity"} if tmi else {"user_id", "joined_at"})
        models = await alice.get("/threat_models")
        assert isinstance(models, dict) is tmi
        assert (models["threat_models"] if tmi else models)[0]["owner"] == person
        assert (await alice.get("/threat_models?limit=5"))["items"][0]["owner"] == person
        listed = await alice.get(f"{model}/metadata")
        assert listed == metadata if tmi else listed["items"] == metadata
        assert ("cells" in whole["diagrams"][0]) is tmi
        assert whole["metadata"] == metadata
        made = await alice.post(f"{model}/threats/bulk", [{"name": "T"}])
        assert isinstance(made, list) is tmi
        assert (await alice.get(f"{model}/threats"))["total"] == 1


def session(presenter: User | None) -> Session:
    return Session(
        id=SessionId("s"),
        diagram_id=DiagramId("d"),
        threat_model_id=ThreatModelId("t"),
        host=ALICE,
        presenter=presenter,
        presenter_term=1,
        version=1,
        start_vector=0,
        created_at_ms=0,
    )


@pytest.mark.parametrize("forms", [WIKI, TMI])
def test_nobody_presents_as_null(forms: Forms) -> None:
    assert views.session(session(None), ("T", "D"), [], "ws://h/ws", forms)["presenter"] is None


def test_the_people_of_a_session_are_told_in_the_form_of_the_profile() -> None:
    member = Member(ALICE, "owner", 1_800_000_000_000, 1_800_000_001_000, 1)
    wiki = views.session(session(ALICE), ("T", "D"), [member], "ws://h/ws", WIKI)
    tmi = views.session(session(ALICE), ("T", "D"), [member], "ws://h/ws", TMI)
    assert wiki["host"] == wiki["presenter"] == "alice@tmi.local"
    assert tmi["host"] == tmi["presenter"] == views.user_form(ALICE)
    assert tmi["participants"][0]["last_activity"] == "2027-01-15T08:00:01Z"
    assert {name for name in wiki if wiki[name] != tmi[name]} == {"host", "presenter", "participants"}
