"""TMI's web app as a server meets it: the requests of its build of August 2026, with what its browser adds and demands.

Cross-origin with cookies; every request is preflighted, because each carries `Cache-Control` and `Pragma`; an answer
that CORS does not allow is one that the app never sees.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests
import websocket

ORIGIN = "http://localhost:4200"
CALLBACK = f"{ORIGIN}/oauth2/callback"
ACCEPTED = "application/json, text/plain, */*"
UNCACHED = {"Cache-Control": "no-store, no-cache, must-revalidate", "Pragma": "no-cache"}
JSON_PATCH = "application/json-patch+json"
SIMPLE_METHODS = ("GET", "HEAD", "POST")
SIMPLE_HEADERS = ("accept",)
PATIENCE_S = 30.0
NOTHING: Any = object()


class Tab:
    """One browser. Its cookies are in `http.cookies`; its end closes what it has open."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = requests.Session()
        self.me: Any = None
        self._sockets: list[websocket.WebSocket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for socket in self._sockets:
            socket.close()
        self.http.close()

    def ask(self, method: str, path: str, body: Any = NOTHING, kind: str = "application/json") -> requests.Response:
        headers = {"Accept": ACCEPTED, **UNCACHED}
        if body is not NOTHING and body is not None:
            headers["Content-Type"] = kind
        self._preflight(method, path, headers)
        data = None if body is NOTHING or body is None else json.dumps(body)
        sent = {**headers, "Origin": ORIGIN}
        answer = self.http.request(
            method, self.base + path, headers=sent, data=data, allow_redirects=False, timeout=PATIENCE_S
        )
        readable(answer)
        return answer

    def get(self, path: str, status: int = 200) -> Any:
        return good(self.ask("GET", path), status)

    def post(self, path: str, body: Any = NOTHING, status: int = 201) -> Any:
        return good(self.ask("POST", path, body), status)

    def put(self, path: str, body: Any, status: int = 200) -> Any:
        return good(self.ask("PUT", path, body), status)

    def patch(self, path: str, **members: Any) -> Any:
        """As the app changes anything: one `replace` a member."""
        operations = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in members.items()]
        return good(self.ask("PATCH", path, operations, JSON_PATCH), 200)

    def delete(self, path: str) -> None:
        good(self.ask("DELETE", path), 204)

    def _preflight(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        asked = sorted(name.lower() for name in headers if name.lower() not in SIMPLE_HEADERS)
        announced = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": ",".join(asked),
        }
        # Without credentials, as a browser does it.
        answer = requests.options(self.base + path, headers=announced, timeout=PATIENCE_S)
        assert answer.ok, (answer.status_code, answer.text)
        readable(answer)
        methods = answer.headers.get("Access-Control-Allow-Methods", "").replace(" ", "").split(",")
        assert method in (*SIMPLE_METHODS, *methods)
        assert set(asked) <= set(answer.headers["Access-Control-Allow-Headers"].lower().replace(" ", "").split(","))

    # Signing in -------------------------------------------------------------------------------------------------------

    def sign_in(self, name: str) -> Self:
        verifier = base64url(secrets.token_bytes(32))
        self.exchange(self.visit(self.way_in("tmi"), name, verifier), verifier)
        self.me = self.get("/me")
        return self

    def way_in(self, provider: str) -> str:
        """Its address; both lists are read before there is any button."""
        assert self.get("/saml/providers") == {"providers": []}
        listed = self.get("/oauth2/providers")["providers"]
        return str(next(one["auth_url"] for one in listed if one["id"] == provider))

    def visit(self, address: str, name: str, verifier: str) -> str:
        """Goes there and comes back; the code."""
        state = state_for("/dashboard")
        challenge = base64url(hashlib.sha256(verifier.encode()).digest())
        separator = "&" if "?" in address else "?"
        visited = self.http.get(
            f"{address}{separator}state={state}&client_callback={quote(CALLBACK, safe='')}"
            f"&scope={quote('openid profile email')}&code_challenge={challenge}&code_challenge_method=S256"
            f"&login_hint={quote(name, safe='')}",
            allow_redirects=False,
            timeout=PATIENCE_S,
        )
        assert visited.status_code == 302, visited.text
        back = urlsplit(visited.headers["Location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
        query = dict(pair.split("=", 1) for pair in back.query.split("&"))
        assert query["state"] == state
        return query["code"]

    def exchange(self, code: str, verifier: str) -> Any:
        """The tokens themselves are not looked at: the cookies count."""
        body = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": CALLBACK}
        return self.post("/oauth2/token?idp=tmi", body, 200)

    # Collaboration ----------------------------------------------------------------------------------------------------

    def collaborate(self, diagram: str) -> Any:
        """`diagram` is its path. Looks first; begins a session where there is none."""
        looked = self.ask("GET", f"{diagram}/collaborate")
        if looked.status_code == 200:
            return looked.json()
        assert looked.status_code == 404, looked.text
        return self.post(f"{diagram}/collaborate", {})

    def connect(self, session: Mapping[str, Any]) -> websocket.WebSocket:
        ticket = self.get(f"/ws/ticket?session_id={session['session_id']}")["ticket"]
        url = session["websocket_url"]
        separator = "&" if "?" in url else "?"
        socket = websocket.create_connection(
            f"{url}{separator}ticket={quote(ticket, safe='')}", origin=ORIGIN, timeout=PATIENCE_S
        )
        self._sockets.append(socket)
        return socket


def readable(answer: requests.Response) -> None:
    """Whether a browser hands it to the page."""
    assert answer.headers.get("Access-Control-Allow-Origin") == ORIGIN
    assert answer.headers.get("Access-Control-Allow-Credentials") == "true"


def good(answer: requests.Response, status: int) -> Any:
    assert answer.status_code == status, (answer.request.method, answer.url, answer.status_code, answer.text)
    return answer.json() if answer.content else None


def state_for(page: str) -> str:
    """Base64 that ends in `=`, which the app neither escapes nor expects to find escaped."""
    for padding in ("", " ", "  "):
        text = json.dumps({"csrf": secrets.token_hex(16), "returnUrl": page}) + padding
        if (state := base64.b64encode(text.encode()).decode()).endswith("="):
            return state
    raise AssertionError("one of three lengths is padded")


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def heard(socket: websocket.WebSocket, kind: str) -> Any:
    """The next message of that type."""
    while True:
        message = json.loads(socket.recv())
        if message.get("message_type") == kind:
            return message
