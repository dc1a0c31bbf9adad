"""What `make web` builds is what the editor's page asks for; every page is made of files that are there."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from codraw import __version__
from rest.pages import inside
from tests.support.needs import need
from tests.support.tree import ROOT

WEB = ROOT / "web"
PAGES = sorted(WEB.glob("*/index.html"))
VENDOR = "/web/vendor/"
IMPORT = re.compile(r'^(?:import "|(?:import|export|\}) .*from ")(\.[^"]+)"', re.MULTILINE)
HEAD_BYTES = 800
"""Of an answer, about."""
FIRST_LOAD = 400_000


def test_what_is_locked_is_what_is_pinned() -> None:
    (version,) = json.loads((WEB / "package.json").read_text())["devDependencies"].values()
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert locked["node_modules/@antv/x6"]["version"] == version


def test_the_package_that_npm_makes_is_the_sdk_whole_and_brings_no_other() -> None:
    package = json.loads((WEB / "package.json").read_text())
    assert package["version"] == __version__
    assert "dependencies" not in package
    exported = [WEB / file for one in package["exports"].values() for file in one.values()]
    packed = [file for folder in package["files"] for file in (WEB / folder).iterdir()]
    assert set(exported) <= set(packed)
    for file in packed:
        imported = [file.parent / path for path in IMPORT.findall(file.read_text("utf-8"))]
        assert {path.resolve() for path in imported} <= set(packed), file


def test_the_page_names_the_library_by_its_hash() -> None:
    """Then browsers keep it for good."""
    library = Path(need("editor"))
    (named,) = re.findall(r"x6\.min\.js\?v=(\w+)", (WEB / "editor/index.html").read_text())
    assert named == hashlib.sha256(library.read_bytes()).hexdigest()[:32]


def test_everything_locked_is_held_by_its_hash() -> None:
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert all("integrity" in package for path, package in locked.items() if path)
    named = (WEB / "build.js").read_text().partition("PACKAGES = [")[2].partition("]")[0]
    assert {f"node_modules/{name}" for name in json.loads(f"[{named}]")} == {path for path in locked if path}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_a_page_is_made_of_files_that_are_served_and_holds_nothing_inline(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert named and len(set(named)) == len(named)
    for address in named:
        path = address.partition("?")[0].removeprefix("/web/")
        assert address.startswith(VENDOR) or inside(WEB, path) is not None, address
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)


def parts(page: Path) -> Iterator[Path]:
    """The page and all that it loads before anybody does anything."""
    waiting = [
        page,
        *(WEB / path.partition("?")[0] for path in re.findall(r'(?:src|href)="/web/([^"]+)"', page.read_text())),
    ]
    seen: set[Path] = set()
    while waiting:
        file = waiting.pop().resolve()
        if file not in seen:
            seen.add(file)
            yield file
            if file.suffix == ".js" and file.parent.name != "vendor":
                waiting += [file.parent / path for path in IMPORT.findall(file.read_text("utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_a_first_load_stays_under_its_bound(page: Path) -> None:
    if page.parent.name == "editor":
        need("editor")
    files = list(parts(page))
    assert len(files) > 30
    assert sum(len(gzip.compress(file.read_bytes())) + HEAD_BYTES for file in files) < FIRST_LOAD
