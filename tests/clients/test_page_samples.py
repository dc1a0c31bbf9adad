"""The programs of the two published API pages, request by request as they send them, against the running server."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
import websocket

from tests.support.servers import Server

CALLBACK = "http://localhost:3000/callback"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(tmp_path_factory.mktemp("samples")) as server:
        yield server.http


@pytest.fixture(scope="module")
def headers(base: str) -> dict[str, str]:
    return signed_in(base, "alice")


def signed_in(base: str, name: str) -> dict[str, str]:
    """curl "…/oauth2/authorize?idp=test&login_hint=alice", redirects followed."""
    tokens = requests.get(f"{base}/oauth2/authorize?idp=test&login_hint={name}", timeout=30).json()
    return {"Authorization": f"Bearer {tokens['access_token']}", "Content-Type": "application/json"}


def token(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


def good(answer: requests.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


def code_for(base: str, asked: dict[str, str]) -> str:
    """What the browser does while the program waits for a code to be typed in."""
    answer = requests.get(f"{base}/oauth2/authorize?{urlencode(asked)}", allow_redirects=False, timeout=30)
    location = urlsplit(answer.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    found = parse_qs(location.query)
    assert found["state"] == [asked["state"]]
    return found["code"][0]


# Authentication ------------------------------------------------------------------------------------------------------


def test_the_curl_lines_of_the_test_provider(base: str) -> None:
    for query in ("idp=test", "idp=test&login_hint=alice"):
        tokens = good(requests.get(f"{base}/oauth2/authorize?{query}", timeout=30))
        assert tokens["token_type"] == "Bearer"
        assert tokens["expires_in"] > 900


def test_the_curl_lines_of_the_first_page(base: str, headers: dict[str, str]) -> None:
    assert good(requests.get(f"{base}/", timeout=30))["service"]["name"] == "codraw"
    assert isinstance(good(requests.get(f"{base}/threat_models", headers=headers, timeout=30)), list)


def test_the_python_program_that_authenticates(base: str) -> None:
    assert requests.get(f"{base}/oauth2/providers", timeout=30).json()["providers"]
    asked = {
        "response_type": "code",
        "client_id": "your-client-id",
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "random-state-string",
    }
    tokens = requests.post(
        f"{base}/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": code_for(base, asked),
            "redirect_uri": CALLBACK,
            "client_id": "your-client-id",
        },
        timeout=30,
    ).json()
    authorization = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert "@" in requests.get(f"{base}/oauth2/userinfo", headers=authorization, timeout=30).json()["email"]


def test_the_browser_program_that_authenticates_with_pkce(base: str) -> None:
    verifier = "A1b2" * 32
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": "your-client-id",
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "x" * 32,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    tokens = requests.post(
        f"{base}/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": code_for(base, asked),
            "redirect_uri": CALLBACK,
            "client_id": "your-client-id",
            "code_verifier": verifier,
        },
        timeout=30,
    ).json()
    assert tokens["access_token"]


def test_signing_out(base: str) -> None:
    mine = signed_in(base, "leaver")
    userinfo = good(requests.get(f"{base}/oauth2/userinfo", headers=mine, timeout=30))
    assert {"sub", "email", "name", "idp"} <= userinfo.keys()
    assert requests.post(f"{base}/oauth2/logout", headers=mine, timeout=30).status_code == 204
    assert requests.get(f"{base}/oauth2/userinfo", headers=mine, timeout=30).status_code == 401


# Threat models -------------------------------------------------------------------------------------------------------


def create_threat_model(base: str, headers: dict[str, str]) -> Any:
    body = {
        "name": "Production API Security",
        "description": "Comprehensive threat model for production APIs",
        "authorization": [{"subject": "security-team", "subject_type": "group", "role": "writer"}],
        "metadata": {"project": "API-Gateway", "compliance": "GDPR"},
    }
    return good(requests.post(f"{base}/threat_models", headers=headers, json=body, timeout=30))


def test_the_program_of_a_threat_models_life(base: str, headers: dict[str, str]) -> None:
    model = create_threat_model(base, headers)
    data = good(
        requests.get(
            f"{base}/threat_models", headers=headers, params={"limit": "50", "sort": "-created_at"}, timeout=30
        )
    )
    assert data["total"] >= 1
    assert data["items"][0]["id"] == model["id"]
    address = f"{base}/threat_models/{model['id']}"
    details = good(requests.get(address, headers=headers, timeout=30))
    assert (details["diagram_count"], details["threat_count"]) == (0, 0)
    changes = {
        "description": "Updated description with new scope",
        "metadata": {"project": "API-Gateway", "compliance": "GDPR,HIPAA"},
    }
    updated = good(requests.patch(address, headers=headers, json=changes, timeout=30))
    assert updated["description"] == "Updated description with new scope"
    assert {"key": "compliance", "value": "GDPR,HIPAA"} in updated["metadata"]
    assert requests.delete(address, headers=headers, timeout=30).status_code == 204


def test_the_go_programs_list(base: str, headers: dict[str, str]) -> None:
    create_threat_model(base, headers)
    data = good(requests.get(f"{base}/threat_models?limit=50", headers=headers, timeout=30))
    assert len(data["items"]) == min(50, data["total"])


def test_the_requests_of_the_first_page(base: str, headers: dict[str, str]) -> None:
    def ask(method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        given = {**headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        answer = requests.request(method, f"{base}{path}", headers=given, data=data, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    model = ask(
        "POST", "/threat_models", {"name": "My Threat Model", "description": "Security analysis for new feature"}
    )
    tm = f"/threat_models/{model['id']}"
    ask("PUT", tm, {"name": "Updated Name", "description": "Updated description"})
    patch = [{"op": "replace", "path": "/name", "value": "New Name"}]
    assert ask("PATCH", tm, patch, "application/json-patch+json")["name"] == "New Name"

    diagram = ask(
        "POST", f"{tm}/diagrams", {"name": "System Architecture", "description": "High-level data flow diagram"}
    )
    cell = {"id": "cell-uuid", "shape": "process", "x": 150, "y": 250, "width": 120, "height": 80, "label": "Updated"}
    ask("PUT", f"/diagrams/{diagram['id']}/cells", {"cells": [cell]})
    found = ask("GET", f"{tm}/diagrams/{diagram['id']}")
    assert (found["cells"], found["update_vector"], found["threat_model_id"]) == ([cell], 1, model["id"])

    threat = {
        "name": "SQL Injection",
        "description": "Database injection vulnerability",
        "stride": "tampering",
        "severity": "high",
        "status": "open",
        "mitigation": "Use parameterized queries",
    }
    assert threat.items() <= ask("POST", f"{tm}/threats", threat).items()
    assert len(ask("GET", f"{tm}/threats")["items"]) == 1

    ask("POST", f"{tm}/metadata", {"key": "project_phase", "value": "design"})
    ask("PUT", f"{tm}/metadata/project_phase", {"value": "implementation"})
    assert ask("GET", f"{tm}/metadata")["items"] == [{"key": "project_phase", "value": "implementation"}]
    ask("DELETE", f"{tm}/metadata/project_phase")

    ask("POST", f"{tm}/authorization", {"subject": "bob@example.com", "subject_type": "user", "role": "writer"})
    ask("POST", f"{tm}/authorization", {"subject": "everyone", "subject_type": "group", "role": "reader"})
    assert ask("PUT", f"{tm}/authorization/1", {"role": "owner"})["role"] == "owner"
    ask("DELETE", f"{tm}/authorization/1")
    ask("DELETE", tm)


def test_an_error_has_the_published_form(base: str, headers: dict[str, str]) -> None:
    answer = requests.post(f"{base}/threat_models", headers=headers, json={}, timeout=30)
    error = answer.json()
    assert (answer.status_code, error["error"], error["details"]["field"]) == (422, "validation_error", "name")
    assert error["details"]["reason"] == "Field is required"


# Diagrams and threats ------------------------------------------------------------------------------------------------


def test_the_program_that_creates_a_diagram_with_cells(base: str, headers: dict[str, str]) -> None:
    model = create_threat_model(base, headers)
    cells = [
        {
            "id": "process-1",
            "type": "process",
            "position": {"x": 100, "y": 100},
            "size": {"width": 120, "height": 60},
            "attrs": {"label": {"text": "API Gateway"}},
        },
        {
            "id": "datastore-1",
            "type": "datastore",
            "position": {"x": 300, "y": 100},
            "size": {"width": 100, "height": 60},
            "attrs": {"label": {"text": "Database"}},
        },
        {
            "id": "link-1",
            "type": "link",
            "source": {"id": "process-1"},
            "target": {"id": "datastore-1"},
            "attrs": {"label": {"text": "SQL Query"}},
        },
    ]
    assets = [{"cell_id": "datastore-1", "name": "User Database", "sensitivity": "high", "description": "Contains PII"}]
    body = {
        "title": "System Architecture",
        "diagram_type": "data_flow",
        "diagram_json": {"cells": cells, "assets": assets},
    }
    address = f"{base}/threat_models/{model['id']}/diagrams"
    diagram = good(requests.post(address, headers=headers, json=body, timeout=30))
    assert diagram["id"]
    assert [cell["id"] for cell in diagram["cells"]] == ["process-1", "datastore-1", "link-1"]
    assert diagram["assets"] == assets


def test_the_programs_of_threats_and_their_report(base: str, headers: dict[str, str]) -> None:
    model = create_threat_model(base, headers)
    threats = [
        {
            "threat_model_id": model["id"],
            "title": "SQL Injection Vulnerability",
            "description": "User input not sanitized before SQL queries",
            "category": "injection",
            "severity": "high",
            "likelihood": "medium",
            "impact": "Data breach, unauthorized access",
            "mitigation": "Use parameterized queries and input validation",
            "status": "open",
            "affected_assets": ["User Database"],
        },
        {
            "threat_model_id": model["id"],
            "title": "Missing Authentication",
            "description": "API endpoint lacks authentication",
            "category": "authentication",
            "severity": "critical",
            "likelihood": "high",
            "impact": "Unauthorized access to sensitive data",
            "mitigation": "Add OAuth 2.0 authentication",
            "status": "open",
        },
    ]
    created = [good(requests.post(f"{base}/threats", headers=headers, json=threat, timeout=30)) for threat in threats]
    assert [threat["title"] for threat in created] == [threat["title"] for threat in threats]

    changes = {"status": "mitigated", "resolution_notes": "Done", "resolved_at": "2025-01-15T10:00:00Z"}
    patched = requests.patch(f"{base}/threats/{created[0]['id']}", headers=headers, json=changes, timeout=30)
    assert good(patched)["status"] == "mitigated"

    report = requests.get(f"{base}/threat_models/{model['id']}", headers=headers, timeout=30).json()
    params: dict[str, Any] = {"threat_model_id": model["id"], "limit": 500}
    found = requests.get(f"{base}/threats", headers=headers, params=params, timeout=30).json()["items"]
    diagrams = requests.get(f"{base}/threat_models/{model['id']}/diagrams", headers=headers, timeout=30).json()["items"]
    assert [report[name] is not None for name in ("name", "description", "owner", "created_at")] == [True] * 4
    assert (len(found), len(diagrams)) == (2, 0)
    assert len([threat for threat in found if threat["severity"] == "critical"]) == 1
    assert sorted(threat["status"] for threat in found) == ["mitigated", "open"]
    assert {threat.get("category", "other") for threat in found} == {"injection", "authentication"}


def test_the_batch_program(base: str, headers: dict[str, str]) -> None:
    model = create_threat_model(base, headers)
    templates = [
        {
            "title": f"Threat {n}",
            "description": f"Description for threat {n}",
            "category": "other",
            "severity": "medium",
            "threat_model_id": model["id"],
        }
        for n in range(10)
    ]
    with ThreadPoolExecutor(max_workers=5) as executor:
        threats = list(
            executor.map(
                lambda body: requests.post(f"{base}/threats", headers=headers, json=body, timeout=30), templates
            )
        )
    assert [good(threat)["title"] for threat in threats] == [template["title"] for template in templates]


# Collaboration -------------------------------------------------------------------------------------------------------


def join_collaboration_session(base: str, headers: dict[str, str], tm_id: str, diagram_id: str) -> Any:
    address = f"{base}/threat_models/{tm_id}/diagrams/{diagram_id}/collaborate"
    answer = requests.post(address, headers=headers, timeout=30)
    if answer.status_code == 409:
        answer = requests.put(address, headers=headers, timeout=30)
    return good(answer)


def connect(session: Any, headers: dict[str, str]) -> websocket.WebSocket:
    return websocket.create_connection(f"{session['websocket_url']}?token={token(headers)}", timeout=30)


def heard(socket: websocket.WebSocket, kind: str) -> Any:
    """The next message of that type; presence frames have none."""
    while True:
        message = json.loads(socket.recv())
        if message.get("message_type") == kind:
            return message


def test_the_clients_of_the_first_page_edit_together(base: str, headers: dict[str, str]) -> None:
    bob = signed_in(base, "bob")
    everyone = {"subject": "everyone", "subject_type": "group", "role": "writer"}
    body = {"name": "Web App Security", "description": "d", "authorization": [everyone]}
    model = good(requests.post(f"{base}/threat_models", headers=headers, json=body, timeout=30))
    address = f"{base}/threat_models/{model['id']}/diagrams"
    diagram = good(requests.post(address, headers=headers, json={"name": "Architecture Diagram"}, timeout=30))

    hers = join_collaboration_session(base, headers, model["id"], diagram["id"])
    his = join_collaboration_session(base, bob, model["id"], diagram["id"])
    assert hers["session_id"] == his["session_id"]
    assert (his["host"], his["threat_model_name"], his["diagram_name"]) == (
        "alice@tmi.local",
        "Web App Security",
        "Architecture Diagram",
    )
    assert [one["user_id"] for one in his["participants"]] == ["alice@tmi.local", "bob@tmi.local"]

    alices, bobs = connect(hers, headers), connect(his, bob)
    for socket in (alices, bobs):
        first = json.loads(socket.recv())
        assert (first["message_type"], first["update_vector"], first["cells"]) == ("diagram_state_sync", 0, [])
    data = {"shape": "process", "x": 100, "y": 200, "width": 120, "height": 80, "label": "New Process"}
    operation = {
        "message_type": "diagram_operation",
        "user_id": "alice@tmi.local",
        "operation_id": "op-1",
        "operation": {"type": "patch", "cells": [{"id": "cell-uuid", "operation": "add", "data": data}]},
    }
    alices.send(json.dumps(operation))
    told = heard(bobs, "diagram_operation")
    assert (told["user_id"], told["operation"]) == ("alice@tmi.local", operation["operation"])

    # The handler of `state_correction` fetches the diagram.
    fetched = good(requests.get(f"{address}/{diagram['id']}", headers=bob, timeout=30))
    assert (fetched["cells"], fetched["update_vector"]) == ([{"id": "cell-uuid", **data}], 1)
    for socket in (bobs, alices):
        socket.close()
