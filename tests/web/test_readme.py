"""What web/README.md shows, done: its program runs as it stands there, and the modules weigh what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.needs import need
from tests.support.servers import Server
from tests.support.tree import ROOT

SDK = ROOT / "web/sdk"
README = (ROOT / "web/README.md").read_text("utf-8")
PROGRAM, *EXCERPTS = re.findall(r"^```js\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r'^(?:import|export) .*? from "\./(\w+\.js)";$', re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`sdk/(\w+\.js)`")
(CORE_KIB,) = re.findall(r"`sdk/codraw.js`.* (\d+) KiB minified", README)
BEFORE_OFFLINE = """
import { connect } from "./sdk/codraw.js";
import { Rest } from "./sdk/rest.js";

globalThis.localStorage = { length: 0, setItem: (key) => console.log(key), removeItem() {} };
const rest = new Rest({ server: process.argv[2] });
await rest.signInAs("alice");
const model = await rest.createThreatModel("Shop");
const drawing = await rest.createDiagram(model.id, "Checkout");
"""
AFTER_OFFLINE = """
await diagram.undo().saved;
await diagram.close();
"""


BEFORE_SIGN_IN = """
import { uuid } from "./sdk/codraw.js";
import { Rest } from "./sdk/rest.js";

let [address, started] = [];
globalThis.location = { origin: "http://127.0.0.1:4200", search: "", assign: (url) => (address = url) };
globalThis.sessionStorage = { setItem: (_, text) => (started = text), getItem: () => started };
const rest = new Rest({ server: process.argv[2] });
"""
AFTER_SIGN_IN = """
await leave();
address.searchParams.set("login_hint", "alice");
const sent = await fetch(address, { redirect: "manual" });
location.search = new URL(sent.headers.get("Location")).search;
await comeBack();
console.log((await rest.me()).sub);
"""


def imported(name: str) -> set[str]:
    """A module and all that it needs."""
    found, waiting = set[str](), {name}
    while waiting:
        module = waiting.pop()
        found.add(module)
        waiting |= set(IMPORT.findall((SDK / module).read_text("utf-8"))) - found
    return found


def bundled(main: str) -> str:
    """A module and all that it needs as one: what is named in two of them is named alike."""
    texts = [(SDK / name).read_text("utf-8") for name in sorted(imported(main) - {main})]
    inner = [re.sub(r"^export ", "", text, flags=re.MULTILINE) for text in texts]
    outer = re.sub(r'^(export .*?) from "[^"]*";$', r"\1;", (SDK / main).read_text("utf-8"), flags=re.MULTILINE)
    return re.sub(r'^import .*? from "[^"]*";$', "", "\n".join([*inner, outer]), flags=re.MULTILINE)


def printed(program: str, node: list[str], server: Server, folder: Path) -> str:
    """By a program beside the modules, which ends well."""
    (folder / "sdk").symlink_to(SDK)
    file = folder / "program.mjs"
    file.write_text(program, "utf-8")
    command = [*node, "--preserve-symlinks", str(file), server.http]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def test_the_core_is_as_small_as_it_says_when_minified(node: str) -> None:
    assert imported("codraw.js") == {"codraw.js", "cells.js", "replica.js", "statehash.js", "wire.js"}
    command = [node, f"{need('npm')}/terser/bin/terser", "--module", "--compress", "--mangle"]
    done = subprocess.run(command, input=bundled("codraw.js").encode(), capture_output=True, check=True, timeout=60)
    assert b"class" in done.stdout
    assert round(len(done.stdout) / 1024) == int(CORE_KIB)


def test_the_modules_that_are_shown_are_there_and_are_declared() -> None:
    for name in NAME.findall(README):
        assert (SDK / name).is_file() and (SDK / name).with_suffix(".d.ts").is_file()


def test_the_program_of_the_readme_runs(node_with_sockets: list[str], server: Server, tmp_path: Path) -> None:
    assert len(PROGRAM.splitlines()) <= 30
    said = printed(PROGRAM, node_with_sockets, server, tmp_path).splitlines()
    assert [line for line in said if line.startswith(("saved", "undone"))] == ["saved as number 2", "undone: x is 100"]
    assert {"connecting, 2 unsaved", "live, 0 unsaved", "here: Alice", "closed, 0 unsaved"} <= set(said)


def test_edits_that_survive_a_reload_are_kept_for_their_author_as_the_readme_shows(
    node_with_sockets: list[str], server: Server, tmp_path: Path
) -> None:
    (excerpt,) = [text for text in EXCERPTS if "localQueue(" in text]
    program = BEFORE_OFFLINE + excerpt + AFTER_OFFLINE
    assert printed(program, node_with_sockets, server, tmp_path).startswith("codraw/test:alice/")


def test_who_signs_in_from_a_page_elsewhere_does_as_the_readme_shows(
    node_with_sockets: list[str], server: Server, tmp_path: Path
) -> None:
    (excerpt,) = [text for text in EXCERPTS if "signInWith(" in text]
    program = BEFORE_SIGN_IN + excerpt + AFTER_SIGN_IN
    assert printed(program, node_with_sockets, server, tmp_path) == "test:alice\n"


def test_the_excerpts_of_the_readme_are_javascript(node_with_sockets: list[str], tmp_path: Path) -> None:
    for count, text in enumerate(EXCERPTS):
        excerpt = tmp_path / f"{count}.mjs"
        excerpt.write_text(text, "utf-8")
        subprocess.run([*node_with_sockets, "--check", str(excerpt)], check=True, timeout=30)
