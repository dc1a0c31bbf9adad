"""What TMI's unmodified web app asks, from its start to a shared diagram, and what it reads of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests

from tests.support.servers import Server
from tests.support.webapp import JSON_PATCH, ORIGIN, Tab, base64url, good, heard

STRANGER = "https://elsewhere.example"
USER = {"principal_type", "provider", "provider_id", "email", "display_name"}
RESOURCES = ("diagrams", "threats", "documents", "repositories", "notes", "assets")
COUNTS = ("diagram_count", "threat_count", "document_count", "repo_count", "asset_count", "note_count")
CREATED = {
    "threats": {"name": "Spoofed", "severity": "high", "threat_type": [], "mitigated": False, "status": "open"},
    "documents": {"name": "Design", "uri": "https://docs.example/design", "include_in_report": True},
    "repositories": {"name": "Code", "uri": "https://git.example/code", "type": "git"},
    "notes": {"name": "Note", "content": "# Remember", "timmy_enabled": True},
    "assets": {"name": "Customers", "type": "data", "classification": ["pii"]},
}
"""What the dialogs of the threat model's page send."""
NOT_OVER = (
    "not_started,active,in_progress,pending_review,remediation_required,remediation_in_progress,"
    "verification_pending,approved"
)


@pytest.fixture(scope="module", params=["wiki", "tmi"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Under both profiles: cookies make every answer one of TMI's."""
    with Server(tmp_path_factory.mktemp("app"), api_profile=request.param) as server:
        yield server.http.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def alice(base: str) -> Iterator[Tab]:
    with Tab(base) as tab:
        yield tab.sign_in("alice")


@pytest.fixture(scope="module")
def bob(base: str) -> Iterator[Tab]:
    with Tab(base) as tab:
        yield tab.sign_in("bob")


@pytest.fixture
def model(alice: Tab) -> str:
    """The path of a threat model as the dashboard's dialog makes it."""
    body = {"name": "Checkout", "threat_model_framework": "STRIDE", "is_confidential": False}
    return f"/threat_models/{alice.post('/threat_models', body)['id']}"


@pytest.fixture
def diagram(alice: Tab, model: str) -> str:
    made = alice.post(f"{model}/diagrams", {"name": "Flow", "type": "DFD-1.0.0"})
    assert {"id", "name", "type"} <= made.keys()
    return f"{model}/diagrams/{made['id']}"


def share(alice: Tab, model: str, entry: dict[str, Any]) -> Any:
    """As the dialog of rights sends the whole list back: everything it was given but `display_name`."""
    entries = alice.get(model)["authorization"]
    kept = [{name: value for name, value in one.items() if name != "display_name"} for one in entries]
    return alice.patch(model, authorization=[*kept, entry])["authorization"]


def writer(name: str) -> dict[str, Any]:
    return {"principal_type": "user", "provider": "tmi", "provider_id": name, "role": "writer"}


def node(id: str, **more: Any) -> dict[str, Any]:
    """A cell as the editor sends it."""
    return {
        "id": id,
        "shape": "process",
        "x": 100.5,
        "y": 60,
        "width": 120,
        "height": 60,
        "attrs": {"body": {"fill": "#fff"}, "text": {"text": "Pay"}},
        "ports": {"items": [{"id": "top", "group": "top"}]},
        "data": {"_metadata": []},
        **more,
    }


# Before anybody has signed in ----------------------------------------------------------------------------------------


def test_the_app_starts_without_a_login(base: str) -> None:
    # Fetched without cookies. Of anything but 200 it leaves the body unread, and such a page never is idle.
    branding = requests.get(f"{base}/config", headers={"Origin": ORIGIN}, timeout=30)
    assert (branding.status_code, branding.json()["features"]["timmy_enabled"]) == (200, False)
    tab = Tab(base)
    tab.get("/me", status=401)
    health = tab.get("/")
    assert health["status"]["code"].upper() == "OK"
    assert isinstance(health["service"]["build"], str)


def test_the_buttons_of_the_sign_in_page_have_pictures(base: str) -> None:
    for provider in Tab(base).get("/oauth2/providers")["providers"]:
        assert {"id", "name", "icon", "auth_url", "redirect_uri", "client_id"} <= provider.keys()
        picture = requests.get(base + provider["icon"], timeout=30)
        assert picture.headers["Content-Type"].startswith("image/")


def test_an_answer_is_not_for_a_page_of_a_stranger(base: str) -> None:
    asked = {"Origin": STRANGER, "Access-Control-Request-Method": "GET"}
    answer = requests.options(f"{base}/me", headers=asked, timeout=30)
    assert "Access-Control-Allow-Origin" not in answer.headers


# Signing in and out --------------------------------------------------------------------------------------------------


def test_signing_in_leaves_cookies_and_a_profile(base: str) -> None:
    tab = Tab(base)
    verifier = base64url(b"v" * 32)
    tokens = tab.exchange(tab.visit(tab.way_in("tmi"), "alice", verifier), verifier)
    assert tokens["expires_in"] > 900
    assert {cookie.name: cookie.path for cookie in tab.http.cookies} == {
        "tmi_access_token": "/",
        "tmi_refresh_token": "/oauth2",
    }
    assert all("HttpOnly" in cookie._rest for cookie in tab.http.cookies)
    me = tab.get("/me")
    assert (me["email"], me["display_name"], me["provider_id"]) == ("alice@tmi.local", "Alice", "alice")
    # By these two it decides which page comes first; the groups are listed or absent.
    assert (me["is_admin"], me["is_security_reviewer"]) == (False, True)
    assert isinstance(me["groups"], list)


def test_what_the_app_keeps_of_preferences_may_be_missing(alice: Tab) -> None:
    """It keeps its own copy; what must not happen is 401, 403 or 400, each of which moves the user away."""
    assert alice.ask("GET", "/me/preferences").status_code in (200, 404)
    assert alice.ask("PUT", "/me/preferences", {"tmi-ux": {"pageSize": "usLetter"}}).status_code in (200, 404)


def test_a_page_left_open_refreshes_many_times_at_once(base: str) -> None:
    tab = Tab(base).sign_in("waiter")
    with ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda _: tab.ask("POST", "/oauth2/refresh", {}), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json()["expires_in"] > 900 for answer in answers)
    tab.get("/me")


def test_an_expired_login_is_refreshed_and_the_request_repeated(base: str) -> None:
    tab = Tab(base).sign_in("sleeper")
    (access,) = [cookie for cookie in tab.http.cookies if cookie.name == "tmi_access_token"]
    tab.http.cookies.clear(access.domain, access.path, access.name)
    tab.get("/me", status=401)
    tab.post("/oauth2/refresh", {}, 200)
    assert tab.get("/me")["provider_id"] == "sleeper"


def test_signing_out_ends_the_login(base: str) -> None:
    tab = Tab(base).sign_in("leaver")
    tab.post("/me/logout", None, 204)
    assert not tab.http.cookies
    tab.get("/me", status=401)


# Threat models -------------------------------------------------------------------------------------------------------


def test_the_dashboard_lists_what_it_filters_by(alice: Tab, model: str) -> None:
    assert isinstance(alice.get("/me/sessions"), list)
    found = alice.get("/threat_models?limit=25&offset=0&name=Checkout")
    assert {"threat_models", "total", "limit", "offset"} <= found.keys()
    item = next(one for one in found["threat_models"] if model.endswith(one["id"]))
    assert {"id", "name", "modified_at", "status", *COUNTS} <= item.keys()
    assert item["owner"].keys() >= USER
    # What anybody sees at first: what they own and what is not over.
    own = alice.get(f"/threat_models?limit=25&offset=0&owner=alice%40tmi.local&status={NOT_OVER}")
    assert item["id"] in [one["id"] for one in own["threat_models"]]
    # A reviewer sees at first what there is to review.
    assert alice.get("/threat_models?limit=25&offset=0&security_reviewer=alice%40tmi.local")["total"] == 0


def test_the_page_of_a_threat_model_finds_who_may_do_what(alice: Tab, model: str) -> None:
    shown = alice.get(model)
    assert shown["owner"].keys() >= USER
    assert shown["created_by"].keys() >= USER
    (entry,) = shown["authorization"]
    assert (entry["principal_type"], entry["provider_id"], entry["role"]) == ("user", "alice", "owner")
    assert all(isinstance(shown[resource], list) for resource in RESOURCES)


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_table_of_the_page_is_read_a_page_at_a_time(alice: Tab, model: str, resource: str) -> None:
    body = CREATED.get(resource, {"name": "Flow", "type": "DFD-1.0.0"})
    made = alice.post(f"{model}/{resource}", body)
    assert body.items() <= made.items()
    found = alice.get(f"{model}/{resource}?limit=100&offset=0")
    assert [one["id"] for one in found[resource]] == [made["id"]]
    assert (found["total"], found["offset"]) == (1, 0)
    assert alice.get(f"{model}/{resource}?limit=100&offset=1")[resource] == []
    alice.delete(f"{model}/{resource}/{made['id']}")


@pytest.mark.parametrize("resource", CREATED)
def test_an_item_is_changed_as_a_whole(alice: Tab, model: str, resource: str) -> None:
    made = alice.post(f"{model}/{resource}", CREATED[resource])
    changed = {**CREATED[resource], "name": "Renamed", "description": "changed"}
    assert changed.items() <= alice.put(f"{model}/{resource}/{made['id']}", changed).items()


def test_the_table_of_threats_is_filtered_and_sorted(alice: Tab, model: str) -> None:
    for severity in ("low", "critical", "high"):
        alice.post(f"{model}/threats", {**CREATED["threats"], "name": severity, "severity": severity})
    found = alice.get(f"{model}/threats?limit=25&offset=0&sort=severity:desc&severity=high&severity=critical")
    assert [threat["severity"] for threat in found["threats"]] == ["critical", "high"]
    assert found["total"] == 2


def test_the_fields_of_the_page_are_saved_one_by_one(alice: Tab, model: str) -> None:
    shown = alice.patch(model, description="What may go wrong", status="in_progress", issue_uri="")
    assert (shown["description"], shown["status"]) == ("What may go wrong", "in_progress")
    reviewed = alice.patch(model, security_reviewer={name: alice.me[name] for name in sorted(USER)})
    assert reviewed["security_reviewer"]["provider_id"] == "alice"
    assert alice.patch(model, security_reviewer=None)["security_reviewer"] is None


@pytest.mark.parametrize(
    "entry",
    [
        writer("bob"),
        writer("bob@tmi.local"),
        {"principal_type": "user", "provider": "test", "provider_id": "", "email": "bob@tmi.local", "role": "writer"},
        {"principal_type": "group", "provider": "tmi", "provider_id": "everyone", "role": "writer"},
    ],
    ids=["by name", "by address as a name", "by address", "everybody"],
)
def test_rights_are_given_in_every_form_of_the_dialog(alice: Tab, bob: Tab, model: str, entry: dict[str, Any]) -> None:
    bob.get(model, status=403)
    after = share(alice, model, entry)
    assert [(one["principal_type"], one["role"]) for one in after] == [
        ("user", "owner"),
        (entry["principal_type"], "writer"),
    ]
    assert bob.get(model)["id"] == model.rpartition("/")[2]
    # The list that the dialog was given can be sent back as it is.
    assert alice.patch(model, authorization=after)["authorization"] == after


@pytest.mark.parametrize("holder", ["model", "diagram"])
def test_the_dialog_of_metadata_replaces_all_at_once(alice: Tab, holder: str, request: pytest.FixtureRequest) -> None:
    at = f"{request.getfixturevalue(holder)}/metadata"
    pairs = [{"key": "team", "value": "payments"}, {"key": "phase", "value": "design"}]
    assert alice.put(f"{at}/bulk", pairs) == pairs
    assert alice.get(at) == pairs
    assert alice.put(f"{at}/bulk", []) == []


def test_the_history_of_a_threat_model_is_told_in_the_apps_words(alice: Tab, model: str, diagram: str) -> None:
    alice.put(f"{diagram}/metadata/bulk", [{"key": "team", "value": "payments"}])
    share(alice, model, writer("bob"))
    alice.collaborate(diagram)
    alice.delete(f"{diagram}/collaborate")
    found = alice.get(f"{model}/audit_trail?limit=25&offset=0")
    told = [(line["object_type"], line["change_type"], line["change_summary"]) for line in found["audit_entries"]]
    assert told == [
        ("diagram", "updated", "session ended"),
        ("diagram", "updated", "session started"),
        ("threat_model", "updated", "threat_model updated"),
        ("diagram", "updated", "metadata updated"),
        ("diagram", "created", "diagram created"),
        ("threat_model", "created", "threat_model created"),
    ]
    assert all(UUID(line["id"]) and line["actor"]["display_name"] == "Alice" for line in found["audit_entries"])
    assert (found["total"], found["offset"]) == (6, 0)
    assert alice.get(f"{diagram}/audit_trail?limit=25&offset=0")["audit_entries"]


# Diagrams ------------------------------------------------------------------------------------------------------------


def test_the_editor_opens_draws_and_saves_alone(alice: Tab, diagram: str) -> None:
    opened = alice.get(diagram)
    assert (opened["cells"], opened["update_vector"], opened["name"]) == ([], 0, "Flow")
    flow = {"id": str(uuid4()), "shape": "edge", "vertices": [{"x": 9.5, "y": 3}], "attrs": {"line": {}}}
    ends = [str(uuid4()), str(uuid4())]
    source, target = ({"cell": end, "port": "top"} for end in ends)
    cells = [*map(node, ends), {**flow, "source": source, "target": target}]
    saved = alice.patch(diagram, cells=cells, image={"svg": "PHN2Zz48L3N2Zz4="})
    assert [cell["id"] for cell in saved["cells"]] == [cell["id"] for cell in cells]
    assert saved["image"] == {"svg": "PHN2Zz48L3N2Zz4=", "update_vector": 1}
    assert alice.get(diagram)["cells"] == saved["cells"]
    named = alice.patch(diagram, name="Payment", description="", include_in_report=True)
    assert (named["name"], named["include_in_report"], named["update_vector"]) == ("Payment", True, 1)


def test_two_browsers_draw_one_diagram(alice: Tab, bob: Tab, model: str, diagram: str) -> None:
    share(alice, model, writer("bob"))
    begun = alice.collaborate(diagram)
    assert begun["host"].keys() >= USER
    assert begun["threat_model_name"] == "Checkout"

    # Bob's dashboard shows it; his editor looks, and begins no second one.
    (listed,) = [one for one in bob.get("/me/sessions") if one["session_id"] == begun["session_id"]]
    assert (listed["host"]["email"], listed["diagram_name"]) == ("alice@tmi.local", "Flow")
    assert len(listed["participants"]) == 1
    joined = bob.collaborate(diagram)
    assert joined["session_id"] == begun["session_id"]
    assert bob.post(f"{diagram}/collaborate", {}, 409)["error"] == "collaboration_session_exists"

    hers, his = alice.connect(begun), bob.connect(joined)
    for socket in (hers, his):
        assert heard(socket, "diagram_state")["cells"] == []
    while len((roster := heard(his, "participants_update"))["participants"]) < 2:
        pass
    assert {one["user"]["email"] for one in roster["participants"]} == {"alice@tmi.local", "bob@tmi.local"}
    assert all({"user", "permissions", "last_activity"} <= one.keys() for one in roster["participants"])

    id = str(uuid4())
    drawn = {key: value for key, value in node(id).items() if key != "id"}
    change = {"id": id, "operation": "add", "data": {"id": id, **drawn}}
    request = {"message_type": "diagram_operation_request", "operation_id": str(uuid4()), "base_vector": 0}
    hers.send(json.dumps({**request, "operation": {"type": "patch", "cells": [change]}}))
    event = heard(his, "diagram_operation_event")
    assert (event["initiating_user"]["email"], event["update_vector"]) == ("alice@tmi.local", 1)
    assert event["operation"]["cells"][0]["data"]["id"] == id
    assert [cell["id"] for cell in bob.get(diagram)["cells"]] == [id]

    # The editor of somebody who fell out of the session saves alone: it must not wipe out what the others drew.
    emptied = bob.ask("PATCH", diagram, [{"op": "replace", "path": "/cells", "value": []}], JSON_PATCH)
    assert good(emptied, 409)["error"] == "if_match_required"
    assert [cell["id"] for cell in alice.get(diagram)["cells"]] == [id]

    bob.delete(f"{diagram}/collaborate")
    assert alice.get(f"{diagram}/collaborate")["session_id"] == begun["session_id"]
    alice.delete(f"{diagram}/collaborate")
    alice.get(f"{diagram}/collaborate", status=404)
    for socket in (hers, his):
        socket.close()


def test_OP12_what_the_app_leaves_out_of_the_data_of_a_whole_node_is_gone(
    alice: Tab, bob: Tab, model: str, diagram: str
) -> None:
    """So it takes an icon or a lock away. What it moves or resizes it sends in part, and nothing goes by that."""
    share(alice, model, writer("bob"))
    begun = alice.collaborate(diagram)
    hers, his = alice.connect(begun), bob.connect(bob.collaborate(diagram))
    heard(his, "diagram_state")
    id = str(uuid4())
    flat = node(id, data={"_metadata": [], "_arch": {"icon": "ec2"}, "_layoutLocked": True})
    at, size = {"x": flat.pop("x"), "y": flat.pop("y")}, {"width": flat.pop("width"), "height": flat.pop("height")}
    whole = {**flat, "position": at, "size": size, "visible": True}
    for operation, data in (
        ("add", whole),
        ("update", {"id": id, "shape": "process", "position": {"x": 7, "y": 9}, "size": size}),
        ("update", {**whole, "data": {"_metadata": [], "_layoutLocked": True}}),
    ):
        cells = [{"id": id, "operation": operation, "data": data}]
        request = {"message_type": "diagram_operation_request", "operation_id": str(uuid4()), "base_vector": 0}
        hers.send(json.dumps({**request, "operation": {"type": "patch", "cells": cells}}))
    told = [heard(his, "diagram_operation_event")["operation"]["cells"] for _ in range(3)]
    assert [[cell["data"]["data"] for cell in cells] for cells in told] == [
        [{"_metadata": [], "_arch": {"icon": "ec2"}, "_layoutLocked": True}],
        [{"_metadata": [], "_arch": {"icon": "ec2"}, "_layoutLocked": True}],
        [{"_metadata": [], "_layoutLocked": True}],
    ]
    assert bob.get(diagram)["cells"][0]["data"] == {"_metadata": [], "_layoutLocked": True}
    for socket in (hers, his):
        socket.close()


def test_a_reader_joins_and_is_told_so(alice: Tab, bob: Tab, model: str, diagram: str) -> None:
    share(alice, model, {**writer("bob"), "role": "reader"})
    bob.post(f"{diagram}/collaborate", {}, 403)
    begun = alice.collaborate(diagram)
    hers, his = alice.connect(begun), bob.connect(bob.collaborate(diagram))
    (reader,) = [
        one for one in heard(his, "participants_update")["participants"] if one["user"]["email"] == "bob@tmi.local"
    ]
    assert reader["permissions"] == "reader"
    for socket in (hers, his):
        socket.close()


def test_SES18_who_was_removed_and_comes_back_is_turned_away_by_the_socket(
    alice: Tab, bob: Tab, model: str, diagram: str
) -> None:
    """To the app whose ticket is refused it is a participant all the same, and nothing that it draws is saved."""
    share(alice, model, writer("bob"))
    begun = alice.collaborate(diagram)
    hers, his = alice.connect(begun), bob.connect(bob.collaborate(diagram))
    removed = {name: bob.me[name] for name in sorted(USER)}
    while len(heard(hers, "participants_update")["participants"]) < 2:
        pass
    hers.send(json.dumps({"message_type": "remove_participant_request", "removed_user": removed}))
    assert heard(his, "error")["error"] == "removed_from_session"
    again = bob.connect(bob.collaborate(diagram))
    assert heard(again, "error")["error"] == "access_denied"
    for socket in (hers, his, again):
        socket.close()
