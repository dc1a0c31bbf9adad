"""An OpenID Connect provider on a free loopback port that signs everybody in at once, and misbehaves as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

CLIENT = "codraw-at-corp"
SECRET = "correct horse: battery & staple"
ANA = {
    "sub": "248289761001",
    "email": "ana@corp.example",
    "email_verified": True,
    "name": "Ana Ruiz",
    "groups": ["architects", "everyone-at-corp"],
}


def key(kind: str, n: int = 0) -> RSAKey | ECKey:
    return _made(kind, n)


@cache
def _made(kind: str, n: int) -> RSAKey | ECKey:
    """Takes longer than a test."""
    parameters: Any = {"kid": f"{kind}-{n}", "use": "sig"}
    return RSAKey.generate_key(2048, parameters) if kind == "RSA" else ECKey.generate_key("P-256", parameters)


class OidcProvider:
    """`claims` go over the ID token, `userinfo` over the answer of that endpoint, `metadata` over the metadata; None
    leaves a member out. `requests`: the paths it was asked for."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.person: dict[str, Any] = dict(ANA)
        self.in_id_token = True
        """Off, the ID token has no more than it must, as that of many a real one."""
        self.algorithm = "RS256"
        self.signing: RSAKey | ECKey = key("RSA")
        self.published: list[RSAKey | ECKey] = [key("RSA"), key("EC")]
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.error: str | None = None
        """What it answers to a browser instead of a code."""
        self.sends_issuer: str | None = None
        self.broken: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """Path -> the answer it gives there instead."""
        self.secret: str | None = SECRET
        self.requests: list[str] = []
        self.asked: list[dict[str, str]] = []
        """Parameters of each authorization request."""
        self.held = threading.Event()
        """Cleared, it answers nobody."""
        self.held.set()
        self._codes: dict[str, dict[str, str]] = {}
        self._people: dict[str, dict[str, Any]] = {}
        provider = self

        class Door(Requests):
            idp = provider

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/realms/corp"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def rotate(self) -> None:
        """Signs with a key that it had not published yet; the old one is withdrawn."""
        self.signing = key("RSA", 1)
        self.published = [self.signing]

    def configuration(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return without_none(found | self.metadata)

    def authorized(self, given: dict[str, str]) -> str:
        """Where the browser goes."""
        self.asked.append(given)
        answer = {"error": self.error} if self.error else {"code": secrets.token_urlsafe(16)}
        if "code" in answer:
            self._codes[answer["code"]] = given
        if self.sends_issuer:
            answer["iss"] = self.sends_issuer
        return f"{given['redirect_uri']}?{urlencode(answer | {'state': given['state']})}"

    def redeemed(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant", "error_description": "no such code"}
        digest = base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked.get("code_challenge_method") != "S256" or asked.get("code_challenge") != digest:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        access = secrets.token_urlsafe(16)
        self._people[access] = self.person
        token = self.id_token(asked.get("nonce", ""))
        return 200, {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token}

    def told(self, authorization: str) -> tuple[int, dict[str, Any]]:
        person = self._people.get(authorization.removeprefix("Bearer "))
        return (401, {"error": "invalid_token"}) if person is None else (200, without_none(person | self.userinfo))

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        if self.secret is None:
            return form.get("client_id") == CLIENT and not authorization
        if authorization:
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, self.secret)
        methods = self.configuration()["token_endpoint_auth_methods_supported"]
        named = (form.get("client_id"), form.get("client_secret")) == (CLIENT, self.secret)
        return named and "client_secret_post" in methods

    def id_token(self, nonce: str) -> str:
        now = int(self.now())
        least = {"iss": self.issuer, "sub": self.person["sub"], "aud": CLIENT, "iat": now, "exp": now + 300}
        told = self.person if self.in_id_token else {}
        return self.signed(without_none({**told, **least, "nonce": nonce} | self.claims))

    def signed(self, claims: dict[str, Any]) -> str:
        payload = json.dumps(claims).encode()
        header = {"alg": self.algorithm, "kid": self.signing.kid}
        text = f"{base64url(json.dumps(header).encode())}.{base64url(payload)}"
        match self.algorithm:
            case "none":
                return f"{text}."
            case "HS256":
                # The oldest trick: what everybody may know, taken for a secret.
                return f"{text}.{base64url(hmac.digest(self.signing.as_pem(private=False), text.encode(), 'sha256'))}"
        return jws.serialize_compact(dict(header), payload, self.signing, algorithms=[self.algorithm])

    def key_set(self) -> dict[str, Any]:
        strange = {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}, {"kty": "new", "kid": "later"}
        return {"keys": [*strange, *(found.as_dict(private=False) for found in self.published)]}


class Requests(BaseHTTPRequestHandler):
    idp: OidcProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._is_served(parts.path):
            return
        match parts.path.removeprefix("/realms/corp"):
            case "/.well-known/openid-configuration":
                self._say(200, self.idp.configuration())
            case "/authorize":
                given = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self._write(302, {"Location": self.idp.authorized(given)}, b"")
            case "/jwks":
                self._say(200, self.idp.key_set())
            case "/userinfo":
                self._say(*self.idp.told(self.headers.get("Authorization", "")))
            case _:
                self._say(404, {"error": "not_found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self._is_served(urlsplit(self.path).path):
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._say(*self.idp.redeemed(form, self.headers.get("Authorization", "")))

    def _is_served(self, path: str) -> bool:
        """Not where it is broken; that answer is given here."""
        place = path.rpartition("/")[2]
        self.idp.requests.append(place)
        self.idp.held.wait()
        if place in self.idp.broken:
            self._write(*self.idp.broken[place])
        return place not in self.idp.broken

    def _say(self, status: int, body: dict[str, Any]) -> None:
        self._write(status, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        try:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # Who asked has lost patience, as some tests want it.
            pass

    def log_message(self, format: str, *args: Any) -> None:
        pass


def without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
