"""What every route owes, whatever it is for. Routes that are new are found by themselves."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from urllib.parse import unquote

import httpx2
import pytest
from starlette.types import ASGIApp

from rest.identity import is_public
from rest.routes import application, table
from tests.support.edges import BASE, LISTED, NOWHERE, Edge, Somebody
from tests.support.tree import lines

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
WRITES = ("POST", "PUT", "PATCH")
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
SAMPLES = {"index": "0", "key": "k", "path": "shell/dom.js"}
ENDS_A_LOGIN = re.compile(r"/logout$|/oauth2/revoke$")
CHUNK = b" " * 262_144


@dataclass(frozen=True)
class Heard:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def fault(self) -> str | None:
        """Why it is no answer that a client could be given."""
        if self.status >= 500:
            return f"{self.status} {self.body[:200]!r}"
        if self.status < 400 or not self.body:
            return None
        form = json.loads(self.body) if self.headers.get("content-type") == "application/json" else {}
        whole = {"error", "message", "error_description", "details"} <= form.keys()
        return None if whole else f"{self.status} is no refusal in the one form: {self.body[:200]!r}"


async def asked(app: ASGIApp, method: str, target: str, headers: Mapping[str, str] | None = None) -> Heard:
    """As uvicorn hands it over: a client library would mend what is wrong in `target` before it sends it."""
    raw_path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"here:8080")]
        + [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        "client": ("192.0.2.1", 5),
        "server": ("here", 8080),
    }
    start: dict[str, object] = {}
    body = bytearray()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))  # type: ignore[arg-type]

    await app(scope, receive, send)  # type: ignore[arg-type]
    said = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}  # type: ignore[attr-defined]
    return Heard(start["status"], said, bytes(body))  # type: ignore[arg-type]


def crossing(here: Edge, samples: Mapping[str, str] = SAMPLES) -> Iterator[tuple[str, frozenset[str]]]:
    """Every address, with something in the place of its parameters, and the methods of its route."""
    for path, endpoints in table(here.deps).items():
        yield PARAMETER.sub(lambda found: samples.get(found[1], NOWHERE), path), frozenset(endpoints)


def bearer(somebody: Somebody) -> dict[str, str]:
    return {"Authorization": f"Bearer {somebody.token}"}


@pytest.fixture
def app(here: Edge) -> ASGIApp:
    return application(here.deps)


@pytest.fixture
async def samples(alice: Somebody) -> Mapping[str, str]:
    """Ids of what there is, as far as it is known here."""
    model = await alice.threat_model()
    diagram = await alice.diagram(model)
    threat = await alice.post(f"{model}/threats", {"name": "T"})
    ids = {"threat_model_id": model.rpartition("/")[2], "diagram_id": diagram.rpartition("/")[2]}
    return {**SAMPLES, **ids, "item_id": threat["id"]}


@pytest.fixture
async def http(app: ASGIApp, alice: Somebody) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=bearer(alice)) as http:
        yield http


async def test_AU14_every_route_that_is_not_public_wants_a_credential_first(here: Edge, app: ASGIApp) -> None:
    faults = []
    for path, _ in crossing(here):
        for method in () if is_public(path) else (*METHODS, "HEAD", "OPTIONS", "FROB"):
            heard = await asked(app, method, path)
            if heard.status != 401 or heard.headers.get("www-authenticate") != "Bearer" or heard.fault():
                faults.append(f"{method} {path}: {heard}")
    assert not faults, lines(faults)


async def test_every_route_answers_options_with_its_methods(here: Edge, app: ASGIApp, alice: Somebody) -> None:
    faults = []
    for path, methods in crossing(here):
        heard = await asked(app, "OPTIONS", path, bearer(alice))
        allowed = {"OPTIONS", *methods, *(("HEAD",) if "GET" in methods else ())}
        if (heard.status, heard.body, set(heard.headers["allow"].split(", "))) != (204, b"", allowed):
            faults.append(f"{path}: {heard}")
    assert not faults, lines(faults)


async def test_every_route_names_its_methods_to_whoever_uses_another(here: Edge, app: ASGIApp, alice: Somebody) -> None:
    faults = []
    for path, methods in crossing(here):
        for method in {*METHODS, "FROB"} - methods:
            heard = await asked(app, method, path, bearer(alice))
            if heard.status != 405 or heard.fault() or not methods <= set(heard.headers["allow"].split(", ")):
                faults.append(f"{method} {path}: {heard}")
    assert not faults, lines(faults)


async def test_every_get_has_its_head(here: Edge, app: ASGIApp, alice: Somebody) -> None:
    faults = []
    for path, methods in crossing(here):
        if "GET" in methods:
            got, head = [await asked(app, method, path, bearer(alice)) for method in ("GET", "HEAD")]
            same = (got.status, got.headers.keys()) == (head.status, head.headers.keys())
            if not same or head.body or got.fault():
                faults.append(f"{path}: {got} {head}")
    assert not faults, lines(faults)


async def test_RE9_every_route_that_takes_a_body_refuses_another_type(
    here: Edge, app: ASGIApp, http: httpx2.AsyncClient, samples: Mapping[str, str]
) -> None:
    faults, refused = [], 0
    for path, methods in crossing(here, samples):
        for method in methods.intersection(WRITES):
            if ENDS_A_LOGIN.search(path):
                continue
            answer = await http.request(method, path, content=b"<x/>", headers={"Content-Type": "text/xml"})
            refused += answer.status_code == 415
            said = any(name in answer.headers for name in ("accept", "accept-post", "accept-patch"))
            # What takes no body does not look at one; what is not there is said first.
            if answer.status_code not in (200, 201, 202, 204, 404, 409) and not (answer.status_code == 415 and said):
                faults.append(f"{method} {path}: {answer.status_code} {answer.text}")
    assert not faults, lines(faults)
    assert refused > 20


async def test_RE9_no_route_reads_a_body_without_end(
    here: Edge, app: ASGIApp, http: httpx2.AsyncClient, samples: Mapping[str, str]
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield CHUNK

    faults, refused = [], 0
    for path, methods in crossing(here, samples):
        for method in methods.intersection(WRITES):
            if ENDS_A_LOGIN.search(path):
                continue
            headers = {"Content-Type": "application/json"}
            answer = await http.request(method, path, content=endless(), headers=headers)
            refused += answer.status_code == 413
            if answer.status_code not in (200, 201, 202, 204, 404, 409, 413):
                faults.append(f"{method} {path}: {answer.status_code} {answer.text}")
    assert not faults, lines(faults)
    assert refused > 20


LENGTHS = ["9" * 20, "9" * 5_000, "-1", "x", "1e3", "٣", ""]


async def test_RE9_no_announced_length_breaks_an_answer(here: Edge, app: ASGIApp, alice: Somebody) -> None:
    faults = []
    for path, methods in crossing(here):
        for method, length in product(methods.intersection(WRITES), LENGTHS):
            if not ENDS_A_LOGIN.search(path):
                heard = await asked(app, method, path, {**bearer(alice), "Content-Length": length})
                faults += [f"{method} {path}: {fault}"] if (fault := heard.fault()) else []
    assert not faults, lines(faults)


BEHIND = (
    "/",
    "//",
    "/..",
    "/.",
    "/%00",
    "%00",
    "/%2e%2e/%2e%2e",
    "/%ff",
    "/%zz",
    "%",
    "%0d%0aX: y",
    ";a=b",
    "/" + "a" * 5_000,
)


async def test_S90_nothing_behind_an_address_breaks_an_answer(here: Edge, app: ASGIApp, alice: Somebody) -> None:
    faults = []
    for path, _ in crossing(here):
        for target in (f"{first}{path}{behind}" for first in ("", "/") for behind in BEHIND):
            heard = await asked(app, "GET", target, bearer(alice))
            fault = heard.fault() or (f"{heard.status}" if 300 <= heard.status < 400 else None)
            faults += [f"{target[:200]}: {fault}"] if fault else []
    assert not faults, lines(faults)


HOSTILE = ("%00", "..", "%2F", "%ff", "%ed%a0%80", "%", "'", "-1", "1e9", "%D9%A3", "bulk", "9" * 5_000, "%F0%9F%92%A9")


async def test_S56_S90_no_parameter_of_an_address_breaks_an_answer(
    here: Edge, app: ASGIApp, alice: Somebody, samples: Mapping[str, str]
) -> None:
    faults = []
    names = {found for path in table(here.deps) for found in PARAMETER.findall(path)}
    for name, sample in product(names, HOSTILE):
        for path, methods in crossing(here, {**samples, name: sample}):
            for method in methods.intersection(("GET", "PUT")) if sample in path else ():
                heard = await asked(app, method, path, bearer(alice))
                faults += [f"{method} {path[:200]}: {fault}"] if (fault := heard.fault()) else []
    assert not faults, lines(faults)


QUERIES = (
    "limit=1&limit=2&offset=0&offset=9",
    "limit=%00",
    "limit=٣",
    "limit=" + "9" * 5_000,
    "sort=%ff",
    "sort=-",
    "sort=:desc",
    "offset=99999999999999",
    "%00=%00",
    "a=%ed%a0%80",
    "&" * 5_000,
    "=",
    "%",
    "name=%00",
    "name=" + "a" * 60_000,
    "status=,,,",
    "threat_model_id=x",
    "session_id=%00",
    "subscription_id='",
    "format=%00",
    "severity=%00",
    "diagram_id=%00",
)


async def test_S58_S90_no_query_breaks_an_answer(
    here: Edge, app: ASGIApp, alice: Somebody, samples: Mapping[str, str]
) -> None:
    faults = []
    for path, methods in crossing(here, samples):
        for query in QUERIES if "GET" in methods else ():
            heard = await asked(app, "GET", f"{path}?{query}", bearer(alice))
            faults += [f"{path}?{query[:200]}: {fault}"] if (fault := heard.fault()) else []
    assert not faults, lines(faults)


NAMES = ("If-Match", "If-None-Match", "Accept", "Range", "Content-Type", "If-Modified-Since", "Origin", "Cookie")
VALUES = ("", '"', "*", 'W/"', "\x00", "é", "a,b;c=d", "bytes=9-1,-0", "9" * 5_000)


async def test_S90_no_header_breaks_an_answer(
    here: Edge, app: ASGIApp, alice: Somebody, samples: Mapping[str, str]
) -> None:
    faults = []
    for path, methods in crossing(here, samples):
        for method, value in product(methods.intersection(("GET", "PUT")), VALUES):
            for headers in (bearer(alice), {"Authorization": value}):
                heard = await asked(app, method, path, {**dict.fromkeys(NAMES, value), **headers})
                faults += [f"{method} {path} {value[:9]}: {fault}"] if (fault := heard.fault()) else []
    assert not faults, lines(faults)


async def test_RE11_every_route_has_a_preflight_and_refusals_that_can_be_read(here: Edge, app: ASGIApp) -> None:
    faults = []
    for path, methods in crossing(here):
        for method in methods:
            preflight = {"Origin": LISTED, "Access-Control-Request-Method": method}
            for heard in (
                await asked(app, "OPTIONS", path, preflight),
                await asked(app, "GET", path, {"Origin": LISTED, "Authorization": "Bearer x"}),
            ):
                if heard.headers.get("access-control-allow-origin") != LISTED:
                    faults.append(f"{method} {path}: {heard}")
    assert not faults, lines(faults)


@pytest.mark.parametrize("path", ["/metrics", "/favicon.ico", "/.well-known/nothing", "*", ""])
async def test_what_is_not_here_is_a_404_in_the_one_form(here: Edge, app: ASGIApp, alice: Somebody, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        heard = await asked(app, method, path, bearer(alice))
        assert (heard.status, heard.fault()) == (404, None)
        assert heard.headers["content-type"] == "application/json"
