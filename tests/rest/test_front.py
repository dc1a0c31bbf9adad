"""What anybody may ask: what this server is, whether it lives, whether it is ready."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rest.front import Front, Readiness
from rest.routes import front_table, starlette
from tests.support.fronts import READY, front


def client(made: Front) -> TestClient:
    return TestClient(starlette(front_table(made)), base_url="http://here:81")


def test_the_front_says_what_this_server_is() -> None:
    assert client(front()).get("/").json() == {
        "status": {"code": "OK", "time": "2026-11-21T10:00:00Z"},
        "service": {"name": "codraw", "build": "1.2.3"},
        "api": {"version": "1.0.0", "specification": "http://here:81/openapi.yml"},
        "dialects": ["classic", "tmi"],
        "limits": {"max_frame_bytes": 262144},
        "durability": "disk",
        "store": "postgresql",
        "bus": "redis",
        "workers": 3,
    }


def test_the_specification_is_where_clients_reach_it() -> None:
    answer = client(front(public_url="https://draw.example.org")).get("/")
    assert answer.json()["api"]["specification"] == "https://draw.example.org/openapi.yml"


def test_a_head_request_gets_no_body() -> None:
    answer = client(front()).head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_while_the_loop_turns_it_lives() -> None:
    assert client(front(replace(READY, store="down"))).get("/healthz").status_code == 200


def test_readiness_names_its_parts() -> None:
    answer = client(front()).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"store": "ok", "bus": "ok", "schema": "ok", "draining": False}


@pytest.mark.parametrize(
    ("readiness", "status"),
    [
        (replace(READY, bus="down"), 200),
        (replace(READY, bus="degraded"), 200),
        (replace(READY, store="down"), 503),
        (replace(READY, schema="down"), 503),
        (replace(READY, draining=True), 503),
        (replace(READY, clock="degraded"), 200),
        (replace(READY, workers="down"), 503),
    ],
)
def test_what_only_delays_news_does_not_make_it_unready(readiness: Readiness, status: int) -> None:
    assert client(front(readiness)).get("/readyz").status_code == status


def test_what_is_seldom_wrong_is_named_only_then() -> None:
    answer = client(front(replace(READY, clock="degraded", workers="down"))).get("/readyz")
    assert answer.json().items() - client(front()).get("/readyz").json().items() == {
        ("clock", "degraded"),
        ("workers", "down"),
    }


def test_unready_says_when_to_ask_again() -> None:
    assert client(front(replace(READY, draining=True))).get("/readyz").headers["retry-after"] == "1"


def test_a_contract_is_served(tmp_path: Path) -> None:
    (tmp_path / "openapi.yml").write_text("openapi: 3.1.0\n")
    answer = client(front(documents={"openapi.yml": tmp_path / "openapi.yml"})).get("/openapi.yml")
    assert (answer.text, answer.headers["content-type"]) == ("openapi: 3.1.0\n", "application/yaml")


@pytest.mark.parametrize("asked", ["bytes=99999-", "bytes=a", "lines=1-2", "bytes=0-3", "x"])
def test_RE1_a_range_of_a_file_is_the_whole_file(tmp_path: Path, asked: str) -> None:
    """As RFC 9110 lets a server do; nothing is refused in another form than all else."""
    (tmp_path / "openapi.yml").write_text("openapi: 3.1.0\n")
    there = client(front(documents={"openapi.yml": tmp_path / "openapi.yml"}))
    answer = there.get("/openapi.yml", headers={"Range": asked})
    assert (answer.status_code, answer.text) == (200, "openapi: 3.1.0\n")
    seen = {"If-None-Match": answer.headers["etag"]}
    assert there.get("/openapi.yml", headers=seen).status_code == 304


def test_a_contract_that_was_not_built_in_is_not_found() -> None:
    assert client(front()).get("/asyncapi.yml").json()["error"] == "not_found"


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A page, and beside it what nobody shall see."""
    folder = tmp_path / "web"
    for name in (
        "playground/index.html",
        "shell/dom.js",
        "sdk/codraw.js",
        "icon.svg",
        "tests/x.js",
        ".npmrc",
        "package.json",
        "README.md",
        "build.js",
        ".x/y.js",
    ):
        put(folder / name, name)
    (tmp_path / "secret.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "secret.js")
    return folder


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (CHROMIUM, True),
        ("text/html", True),
        ("text/html;q=0.5, */*;q=0.1", True),
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0, */*", False),
        ("text/*", False),
        ("text/html;q=x", True),
    ],
)
def test_a_browser_gets_the_page_and_a_program_the_facts(web: Path, accept: str, page: bool) -> None:
    answer = client(replace(front(), web=web)).get("/", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/html" if page else "application/json")
    assert "Accept" in answer.headers["vary"]


def test_without_a_page_everybody_gets_the_facts() -> None:
    assert client(front()).get("/", headers={"Accept": CHROMIUM}).json()["service"]["name"] == "codraw"
    assert client(front()).get("/web/shell/dom.js").status_code == 404


@pytest.mark.parametrize(
    ("path", "kind"),
    [("shell/dom.js", "text/javascript"), ("sdk/codraw.js", "text/javascript"), ("icon.svg", "image/svg+xml")],
)
def test_the_page_has_its_files(web: Path, path: str, kind: str) -> None:
    answer = client(replace(front(), web=web)).get(f"/web/{path}")
    assert (answer.status_code, answer.text) == (200, path)
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "tests/x.js",
        ".npmrc",
        ".x/y.js",
        "package.json",
        "README.md",
        "build.js",
        "link.js",
        "../secret.js",
        "..%2fsecret.js",
        "%2e%2e/secret.js",
        "sdk/../../secret.js",
        "sdk/%00.js",
        "sdk",
        "",
        "//etc/passwd",
        "x" * 300 + ".js",
        "x/" * 3_000 + "y.js",
    ],
)
def test_nothing_beside_the_page_is_served(web: Path, path: str) -> None:
    assert client(replace(front(), web=web)).get(f"/web/{path}").status_code == 404


def test_S55_the_page_runs_no_foreign_script(web: Path) -> None:
    policy = client(replace(front(public_url="https://draw.example.org"), web=web)).get("/playground").headers
    assert policy["content-security-policy"].startswith(
        "default-src 'self'; connect-src 'self' wss://draw.example.org; object-src 'none'"
    )
    assert "unsafe" not in policy["content-security-policy"]


def test_a_page_may_show_pictures_that_it_made_itself_and_no_others(web: Path) -> None:
    policy = client(replace(front(), web=web)).get("/playground").headers["content-security-policy"]
    assert "img-src 'self' data: blob:;" in policy


def test_the_page_without_a_build_is_always_at_its_address(web: Path) -> None:
    answer = client(replace(front(), web=web)).get("/playground", headers={"Accept": "*/*"})
    assert (answer.text, answer.headers["content-type"]) == ("playground/index.html", "text/html; charset=utf-8")
    assert client(front()).get("/playground").status_code == 404


def test_the_editor_is_the_first_page_as_soon_as_it_is_built(web: Path) -> None:
    def page() -> str:
        return asking.get("/", headers={"Accept": CHROMIUM}).text

    asking = client(replace(front(), web=web))
    put(web / "editor/index.html", "the editor")
    assert page() == "playground/index.html"
    put(web / "vendor/x6.min.js", "X6")
    assert page() == "the editor"
    (web / "editor/index.html").unlink()
    assert page() == "playground/index.html"


def test_S96_health_pages_show_state_and_nothing_else() -> None:
    asked = client(front())
    assert asked.get("/healthz").text == "ok\n"
    assert set(asked.get("/readyz").json()) == {"store", "bus", "schema", "draining"}
