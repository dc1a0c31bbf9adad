"""How the files of the page travel: short, once, and never an old one for a new one."""

from __future__ import annotations

import gzip
import hashlib
import os
import runpy
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from rest.pages import NOT_SERVED
from rest.routes import front_table, starlette
from tests.support.fronts import front
from tests.support.tree import ROOT

TEXT = "export const x = 1;\n" * 100
HASH = hashlib.sha256(TEXT.encode()).hexdigest()[:32]


@pytest.fixture
def web(tmp_path: Path) -> Path:
    for name in ("shell/dom.js", "vendor/x6.min.js", "playground/index.html", "shell/short.js", "shell/face.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1" if "short" in name else TEXT)
    return tmp_path


@pytest.fixture
def asking(web: Path) -> TestClient:
    return TestClient(starlette(front_table(replace(front(), web=web))), base_url="http://here:81")


def plain(asking: TestClient, path: str, **headers: str) -> httpx2.Response:
    sent = {"Accept-Encoding": "identity", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return asking.get(path, headers=sent)


def test_who_takes_gzip_gets_it(asking: TestClient) -> None:
    with asking.stream("GET", "/web/shell/dom.js", headers={"Accept-Encoding": "gzip, deflate, br"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(raw) < len(TEXT) / 10
    assert gzip.decompress(raw).decode() == TEXT


def test_who_does_not_gets_it_as_it_is(asking: TestClient) -> None:
    answer = plain(asking, "/web/shell/dom.js")
    assert "content-encoding" not in answer.headers
    assert answer.text == TEXT


@pytest.mark.parametrize("path", ["shell/short.js", "shell/face.png"])
def test_what_would_not_become_shorter_is_not_packed(asking: TestClient, path: str) -> None:
    answer = asking.get(f"/web/{path}", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, "content-encoding" in answer.headers) == (200, False)


@pytest.mark.parametrize("path", ["/web/shell/dom.js", "/playground"])
def test_a_cache_between_is_told_that_there_are_two_forms(asking: TestClient, path: str) -> None:
    tags = set()
    for coding in ("identity", "gzip"):
        answer = asking.get(path, headers={"Accept-Encoding": coding})
        assert answer.headers["vary"] == "Accept-Encoding"
        tags.add(answer.headers["etag"])
    assert len(tags) == 2


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_what_the_browser_has_is_not_sent_again(asking: TestClient, coding: str) -> None:
    first = plain(asking, "/web/shell/dom.js", Accept_Encoding=coding)
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = plain(asking, "/web/shell/dom.js", Accept_Encoding=coding, If_None_Match=known)
        assert (answer.status_code, answer.content) == (304, b"")
        for name in ("etag", "cache-control", "vary"):
            assert answer.headers[name] == first.headers[name]
    for other in ('"other"', tag.strip('"'), ""):
        assert plain(asking, "/web/shell/dom.js", Accept_Encoding=coding, If_None_Match=other).status_code == 200


def test_a_page_that_did_not_change_keeps_its_content_policy(asking: TestClient) -> None:
    first = plain(asking, "/playground")
    answer = plain(asking, "/playground", If_None_Match=first.headers["etag"])
    assert answer.status_code == 304
    assert answer.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_what_a_page_is_made_of_has_no_policy_of_a_page(asking: TestClient) -> None:
    assert "content-security-policy" not in plain(asking, "/web/shell/dom.js").headers


def test_a_file_that_changed_is_sent_anew(asking: TestClient, web: Path) -> None:
    tag = plain(asking, "/web/shell/dom.js").headers["etag"]
    (web / "shell/dom.js").write_text("new")
    assert plain(asking, "/web/shell/dom.js", If_None_Match=tag).text == "new"
    os.utime(web / "shell/dom.js", (1, 1))
    (web / "shell/dom.js").write_text("own")
    assert plain(asking, "/web/shell/dom.js").text == "own"


def test_a_file_that_was_only_touched_is_the_same(asking: TestClient, web: Path) -> None:
    tag = plain(asking, "/web/shell/dom.js").headers["etag"]
    os.utime(web / "shell/dom.js", (1, 1))
    assert plain(asking, "/web/shell/dom.js", If_None_Match=tag).status_code == 304


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (f"/web/vendor/x6.min.js?v={HASH}", "public, max-age=31536000, immutable"),
        ("/web/vendor/x6.min.js", "no-cache"),
        ("/web/vendor/x6.min.js?v=", "no-cache"),
        ("/web/vendor/x6.min.js?v=3.1.8", "no-cache"),
        ("/playground?v=1", "no-cache"),
    ],
)
def test_only_an_address_that_names_what_it_holds_is_kept_for_good(asking: TestClient, path: str, kept: str) -> None:
    assert asking.get(path).headers["cache-control"] == kept


def test_an_old_file_is_not_kept_under_the_name_of_the_new_one(asking: TestClient, web: Path) -> None:
    address = f"/web/vendor/x6.min.js?v={HASH}"
    (web / "vendor/x6.min.js").write_text("the library before")
    assert asking.get(address).headers["cache-control"] == "no-cache"
    (web / "vendor/x6.min.js").write_text(TEXT)
    assert "immutable" in asking.get(address).headers["cache-control"]


def test_the_first_page_differs_by_what_is_asked_for_and_by_its_form(asking: TestClient) -> None:
    answer = asking.get("/", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
    assert (answer.headers["vary"], answer.headers["content-encoding"]) == ("Accept, Accept-Encoding", "gzip")
    assert answer.text == TEXT


def test_a_head_request_tells_the_length_that_a_get_would_have(asking: TestClient) -> None:
    for coding in ("identity", "gzip"):
        headers = {"Accept-Encoding": coding}
        got, told = asking.get("/web/shell/dom.js", headers=headers), asking.head("/web/shell/dom.js", headers=headers)
        assert got.headers["content-length"] == told.headers["content-length"]


def test_the_wheel_leaves_out_what_is_not_served(tmp_path: Path) -> None:
    built = runpy.run_path(str(ROOT / "hatch_build.py"))
    assert built["NOT_SERVED"] == NOT_SERVED
    for name in (*NOT_SERVED, ".npmrc", "shell/.hidden/a.js", "shell/dom.js"):
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_text("")
    assert set(built["data_files"](tmp_path).values()) == {"codraw/_data/web/shell/dom.js"}
