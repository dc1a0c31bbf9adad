"""A client that a generator makes of openapi.yml works: a strict program is understood, and does what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contract import DOCUMENT
from tests.support.needs import NODE_MODULES, need
from tests.support.servers import Server, sign_in
from tests.support.tree import ROOT

PROGRAMS = ROOT / "tests/node"
STRICT = [
    *("--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--target", "es2022"),
    *("--lib", "es2022,dom,dom.iterable", "--module", "esnext", "--moduleResolution", "bundler", "--outDir", "made"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as server:
        yield server


def said(folder: Path, *command: str | Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4_000:]
    return done.stdout


@pytest.mark.timeout(300)
async def test_a_generated_client_goes_from_a_threat_model_to_a_shared_diagram(
    node: str, server: Server, tmp_path: Path
) -> None:
    need("npm")
    alice = await sign_in(server, "alice")
    said(PROGRAMS, node, "generate.js", DOCUMENT, tmp_path / "client")
    shutil.copy(PROGRAMS / "journey.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    said(tmp_path, node, NODE_MODULES / "typescript/bin/tsc", *STRICT, "journey.ts")
    seen = json.loads(said(tmp_path, node, "made/journey.js", server.http, alice.token))
    assert seen == {
        "name": "Alice",
        "description": "Patched",
        "vector": 1,
        "ticket": True,
        "stale": "version_mismatch",
        "cells": 1,
        "listed": ["Drawn"],
        "changes": ["diagram"],
        "gone": "not_found",
    }
