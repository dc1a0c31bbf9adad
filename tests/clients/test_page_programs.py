"""The programs of the two published API pages, as printed and as programs of their own, against the running server."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import requests
import websocket

from tests.support.needs import NODE_MODULES, need
from tests.support.printed import ended, heard, placed, printed, python, saved, started
from tests.support.servers import Server

WORKFLOWS = "api-workflows"
INTEGRATION = "api-integration"
EVERYONE = {"subject": "everyone", "subject_type": "group", "role": "writer"}
FIRST = {"id": "first", "shape": "process", "x": 100, "y": 200, "width": 120, "height": 80, "label": "First"}
SECOND = {"shape": "process", "x": 300, "y": 200, "width": 120, "height": 80, "label": "Second"}

QUICKLY_MADE = ("-gcflags=all=-N -l -dwarf=false", "-ldflags=-s -w")
"""Where Go has no cache yet it compiles its own HTTP, too: without care for speed, half the CPU."""

AS_A_MODULE = "__name__ = 'page'\n"
"""Only the functions of a page: what stands below `if __name__ == '__main__'` is not run."""

WHOLE_PAGE = """
model = create_threat_model()
diagram = create_diagram(model['id'])
threats = identify_threats(model['id'])
updated = update_threat_status(threats[0]['id'], 'mitigated', 'Parameterized')
batch = batch_create_resources(model['id'])
report = generate_threat_report(model['id'])
again = api_call_with_retry('GET', f'{BASE_URL}/threats/{threats[0]["id"]}', headers=headers)
gone = api_call_with_retry('DELETE', f'{BASE_URL}/threats/{threats[0]["id"]}', headers=headers)
print(json.dumps([diagram, updated, len(batch), report, again, gone]))
"""

PYTHON_CLIENT = """
class Whole(TMIClient):
    def join_collaboration_session(self, tm_id, diagram_id):
        address = f'{self.api_url}/threat_models/{tm_id}/diagrams/{diagram_id}/collaborate'
        answer = self.session.post(address)
        if answer.status_code == 409:
            answer = self.session.put(address)
        answer.raise_for_status()
        return answer.json()

    def on_websocket_open(self, ws):
        pass

    def handle_state_sync(self, message):
        print('state', json.dumps(message))

    def handle_diagram_operation(self, message):
        print('operation', json.dumps(message))
        self.ws.close()

client = Whole('%(base)s', '%(token)s')
created = client.create_threat_model('Mine', 'of a program')
print('model', json.dumps([created, client.get_threat_models()]))
client.ws = client.start_collaboration('%(model)s', '%(diagram)s')
client.ws.run_forever()
"""

BROWSER = """
const kept = () => {
  const items = new Map();
  return { setItem: (key, value) => items.set(key, String(value)), getItem: (key) => items.get(key) ?? null };
};
for (const name of ["sessionStorage", "localStorage"]) Object.defineProperty(globalThis, name, { value: kept() });
globalThis.window = { location: { href: "", search: "" } };
Object.assign(globalThis, {
  BASE_URL: "https://api.tmi.dev", CLIENT_ID: "your-client-id", REDIRECT_URI: "https://your-app.com/callback",
});
"""
"""As much of a browser as the page uses; and the constants that its second function reads and only the first has."""

VISIT = """
await authenticate();
const visited = await fetch(window.location.href, { redirect: "manual" });
window.location.search = new URL(visited.headers.get("location")).search;
await handleCallback();
"""

PAGE = """
const [BASE, jwt_token, tmId, diagramId, me] = process.argv.slice(2);
const token = jwt_token;
const fetched = fetch;
globalThis.fetch = (address, options) => fetched(new URL(address, BASE), options);
const listeners = [];
const applied = [];
let sent = 0;
let rendered = 0;
let cachedDiagram = { cells: [], update_vector: 0 };
let isStateSynchronized = false;
const renderDiagram = () => { rendered += 1; };
const session = await (await fetch(`/threat_models/${tmId}/diagrams/${diagramId}/collaborate`, {
  method: "PUT", headers: { Authorization: `Bearer ${token}` },
})).json();
const websocket_url = session.websocket_url;
"""
"""What the page's functions find around them in an editor."""

EDITOR = """
const drawn = { id: "drawn", operation: "add", data: { shape: "actor", x: 1, y: 2, width: 80, height: 40 } };
const missing = { id: "missing", operation: "update", data: { x: 5 } };
DiagramCollaborationManager.prototype.diagramEditor = { on: (_, listener) => listeners.push(listener) };
class Manager extends DiagramCollaborationManager {
  currentUser = { email: me };
  applyOperationToEditor(operation) {
    applied.push(...operation.cells.map((cell) => cell.id));
    listeners[0](operation.cells[0]);
  }
  sendOperation(change) {
    sent += 1;
    ws.send(JSON.stringify({
      message_type: "diagram_operation", user_id: me, operation_id: crypto.randomUUID(),
      operation: { type: "patch", cells: [change] },
    }));
  }
}
const manager = new Manager();
async function handleMessage(message) {
  switch (message.message_type) {
    case "diagram_state_sync":
      handleDiagramStateSync(message);
      return sent || listeners[0](drawn);
    case "diagram_operation":
      manager.handleDiagramOperation(message);
      return listeners[0](missing);
    case "state_correction":
      await handleStateCorrection(message);
      const again = await apiCallWithRetry("/threat_models", { headers: { Authorization: `Bearer ${token}` } });
      console.log(JSON.stringify({
        isStateSynchronized, applied, sent, rendered, again: again.status,
        vector: cachedDiagram.update_vector, cells: cachedDiagram.cells.map((cell) => cell.id),
      }));
      ws.close(1000);
  }
}
"""
"""An editor that draws a cell once it is in step, and tells its listeners of every change, whoever made it."""

TYPESCRIPT_CLIENT = """
class Whole extends TMIClient {
  async joinExistingSession(tmId, diagramId) {
    const answer = await fetch(`${this.apiUrl}/threat_models/${tmId}/diagrams/${diagramId}/collaborate`, {
      method: "PUT", headers: { Authorization: `Bearer ${this.token}` },
    });
    return answer.json();
  }
  handleWebSocketMessage(message) {
    if (message.message_type !== "diagram_state_sync") return;
    console.log(JSON.stringify({ created, listed, message }));
    this.ws.close(1000);
  }
}
const [base, token, model, diagram] = process.argv.slice(2);
const client = new Whole(base, token);
const created = await client.createThreatModel({ name: "Mine", description: "of a program" });
const listed = await client.getThreatModels();
client.ws = await client.startCollaboration(model, diagram);
"""

WITHOUT_TYPES = """
const typescript = require(process.argv[1] + "/typescript");
const compilerOptions = { target: "ES2022", module: "ESNext" };
const { outputText } = typescript.transpileModule(require("fs").readFileSync(0, "utf8"), { compilerOptions });
process.stdout.write(outputText);
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(tmp_path_factory.mktemp("programs"), webhook_allow_private="127.0.0.0/8") as server:
        yield server.http


class Receiver(BaseHTTPRequestHandler):
    """The reader's own service: answers the challenge."""

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.put(told)  # type: ignore[attr-defined]
        answer = json.dumps({"challenge": told.get("challenge")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Not on the terminal."""


class Service(ThreadingHTTPServer):
    told: Queue[Any]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/webhooks/tmi"


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(("127.0.0.1", 0), Receiver) as made:
        made.told = Queue()
        Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


class Meeting:
    """A diagram of Alice with one cell and a live session that she is in."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.alice = token_of(base, "alice")
        self.bob = token_of(base, "bob")
        model = self.ask("POST", "/threat_models", {"name": "Shared", "authorization": [EVERYONE]})
        self.model = model["id"]
        made = self.ask("POST", f"/threat_models/{self.model}/diagrams", {"name": "Diagram", "cells": [FIRST]})
        self.diagram = made["id"]
        session = self.ask("POST", f"/threat_models/{self.model}/diagrams/{self.diagram}/collaborate")
        self.socket = websocket.create_connection(f"{session['websocket_url']}?token={self.alice}", timeout=30)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.alice}"}
        answer = requests.request(method, self.base + path, headers=headers, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def hear(self, kind: str) -> Any:
        """The next message of that type; presence frames have none."""
        while True:
            message = json.loads(self.socket.recv())
            if message.get("message_type") == kind:
                return message

    def edit(self, id: str, data: Any) -> None:
        cells = [{"id": id, "operation": "add", "data": data}]
        operation = {"type": "patch", "cells": cells}
        message = {"message_type": "diagram_operation", "operation_id": f"op-{id}", "operation": operation}
        self.socket.send(json.dumps({**message, "user_id": "alice@tmi.local"}))


@pytest.fixture
def meeting(base: str) -> Iterator[Meeting]:
    made = Meeting(base)
    yield made
    made.socket.close()


def token_of(base: str, name: str) -> str:
    answer = requests.get(f"{base}/oauth2/authorize?idp=test&login_hint={name}", timeout=30)
    return str(answer.json()["access_token"])


def code_at(address: str) -> str:
    """What a person is shown at the end of the browser's way."""
    answer = requests.get(address, allow_redirects=False, timeout=30)
    found = re.search(r"[?&]code=([^&]+)", answer.headers["Location"])
    assert found is not None
    return found[1]


# API Workflows -------------------------------------------------------------------------------------------------------


def test_the_python_program_signs_in(base: str, tmp_path: Path) -> None:
    program = placed(printed(WORKFLOWS, "authenticate: python"), base) + "\nauthenticate()\n"
    running = started(python(saved(tmp_path, "program.py", program)), stdin=subprocess.PIPE)
    address = heard(running, f"{base}/oauth2/authorize?")
    assert re.search(r"Authenticated as: user-\w+@tmi\.local", ended(running, code_at(address) + "\n"))


def test_the_javascript_program_signs_in_with_pkce(base: str, tmp_path: Path, node: str) -> None:
    program = placed(BROWSER + printed(WORKFLOWS, "authenticate: javascript") + VISIT, base)
    said = ended(started([node, saved(tmp_path, "program.mjs", program)]))
    assert re.fullmatch(r"Authenticated as: user-\w+@tmi\.local\n", said)


def test_the_python_program_of_a_threat_models_life(base: str, tmp_path: Path) -> None:
    program = placed(printed(WORKFLOWS, "threat model: python"), base, token_of(base, "liver"))
    said = ended(started(python(saved(tmp_path, "program.py", program))))
    id = re.escape(said.partition("Created threat model: ")[2][:36])
    assert re.fullmatch(
        rf"Created threat model: {id}\nFound 1 threat models\nThreat Model: Production API Security\n"
        rf"  Diagrams: 0\n  Threats: 0\nUpdated threat model: {id}\nDeleted threat model: {id}\n",
        said,
    )


@pytest.mark.timeout(300)
def test_the_go_program_makes_and_lists_threat_models(base: str, tmp_path: Path, go: str) -> None:
    program = placed(printed(WORKFLOWS, "threat model: go"), base, token_of(base, "gopher"))
    # Go compiles no variable that nothing reads, and `tm` is read by no line of the page.
    program = program.replace("tm, _ := createThreatModel()", "_, _ = createThreatModel()")
    shut_off = {"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOTELEMETRY": "off", "CGO_ENABLED": "0"}
    cache = os.environ.get("HOME", str(tmp_path))
    environment = {**os.environ, "HOME": cache, **shut_off}
    command = [go, "run", *QUICKLY_MADE, saved(tmp_path, "main.go", program)]
    said = ended(started(command, env=environment, cwd=tmp_path))
    assert re.fullmatch(r"Created threat model: [0-9a-f-]{36}\nFound 1 threat models\nTotal models: 1\n", said)


def test_the_python_functions_of_diagrams_threats_batches_report_and_retry(base: str, tmp_path: Path) -> None:
    names = ("threat model", "diagram", "threats", "batch", "report", "retry")
    page = placed(printed(WORKFLOWS, *(f"{name}: python" for name in names)), base, token_of(base, "reporter"))
    program = saved(tmp_path, "program.py", f"{AS_A_MODULE}import json\n{page}{WHOLE_PAGE}")
    *told, results = ended(started(python(program), cwd=tmp_path)).splitlines()
    diagram, updated, batch, report, again, gone = json.loads(results)

    assert [cell["id"] for cell in diagram["cells"]] == ["process-1", "datastore-1", "link-1"]
    assert diagram["assets"][0]["name"] == "User Database"
    assert (updated["status"], updated["resolution_notes"]) == ("mitigated", "Parameterized")
    assert (batch, again["title"], gone) == (10, "SQL Injection Vulnerability", None)
    assert report["statistics"] == {
        "total_threats": 13,
        "critical_threats": 1,
        "high_threats": 1,
        "open_threats": 12,
        "mitigated_threats": 1,
    }
    assert (report["diagrams"], len(report["threats_by_category"]["other"])) == (1, 10)
    assert "Created threat: Insufficient Logging" in told
    assert list(tmp_path.glob("threat_report_*.json"))


def test_the_python_function_of_webhooks(base: str, tmp_path: Path, service: Service) -> None:
    page = placed(printed(WORKFLOWS, "threat model: python", "webhook: python"), base, token_of(base, "listener"))
    page = page.replace("https://your-service.com/webhooks/tmi", service.address)
    program = saved(tmp_path, "program.py", f"{AS_A_MODULE}{page}\nsetup_webhook_integration()\n")
    said = ended(started(python(program)))
    assert re.search(r"Created webhook: [0-9a-f-]{36}\nStatus: pending_verification\nCurrent status: \w+\n", said)
    assert service.told.get(timeout=30)["type"] == "webhook.challenge"


# API Integration -----------------------------------------------------------------------------------------------------


def test_the_python_client_joins_and_hears(meeting: Meeting, tmp_path: Path) -> None:
    at = {"base": meeting.base, "token": meeting.bob, "model": meeting.model, "diagram": meeting.diagram}
    program = saved(tmp_path, "program.py", printed(INTEGRATION, "client: python") + PYTHON_CLIENT % at)
    running = started(python(program))
    created, listed = json.loads(heard(running, "model ").removeprefix("model "))
    assert created["id"] in [model["id"] for model in listed]
    state = json.loads(heard(running, "state ").removeprefix("state "))
    assert (state["message_type"], state["update_vector"], state["cells"]) == ("diagram_state_sync", 0, [FIRST])
    meeting.edit("second", SECOND)
    operation = json.loads(ended(running).removeprefix("operation "))
    assert (operation["user_id"], operation["operation"]["cells"][0]["id"]) == ("alice@tmi.local", "second")


def test_the_typescript_client_joins(meeting: Meeting, tmp_path: Path, node: str, node_with_sockets: list[str]) -> None:
    need("npm")
    page = printed(INTEGRATION, "client: typescript")
    command = [node, "-e", WITHOUT_TYPES, str(NODE_MODULES)]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True, timeout=60)
    program = saved(tmp_path, "program.mjs", done.stdout + TYPESCRIPT_CLIENT)
    told = json.loads(
        ended(started([*node_with_sockets, program, meeting.base, meeting.bob, meeting.model, meeting.diagram]))
    )
    assert told["created"]["id"] in [model["id"] for model in told["listed"]]
    assert told["message"]["cells"] == [FIRST]


def test_the_functions_of_an_editor_in_javascript(
    meeting: Meeting, tmp_path: Path, node_with_sockets: list[str]
) -> None:
    titles = ("state sync", "manager", "state correction", "retry", "connect")
    functions = printed(INTEGRATION, *(f"{title}: javascript" for title in titles))
    program = saved(tmp_path, "program.mjs", PAGE + functions + EDITOR)
    asked = [meeting.base, meeting.bob, meeting.model, meeting.diagram, "bob@tmi.local"]
    running = started([*node_with_sockets, program, *asked])
    drawn = meeting.hear("diagram_operation")
    assert (drawn["user_id"], drawn["operation"]["cells"][0]["id"]) == ("bob@tmi.local", "drawn")
    meeting.edit("second", SECOND)
    *_, told = ended(running).splitlines()
    # Two of its own, the second of which meets no cell: it is corrected, and fetches what is there.
    assert json.loads(told) == {
        "isStateSynchronized": True,
        "applied": ["second"],
        "sent": 2,
        "rendered": 1,
        "again": 200,
        "vector": 2,
        "cells": ["first", "drawn", "second"],
    }
