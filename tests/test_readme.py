"""What README.md says, done: its tour and its two clients against a real server; what documents point at, there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codraw.cli import shown
from codraw.settings import Settings, variable
from tests.support.servers import Server
from tests.support.tree import PACKAGES, ROOT

README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED_AS = re.compile(r"Save this as\s`(\w+\.py)`")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)\)")
PATH = re.compile(rf"`((?:{'|'.join((*PACKAGES, 'tests', 'web', 'bench', 'docs'))})/[\w/.-]*)")
"""A file or folder of ours, named from the root."""
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SETTING = re.compile(r"^\| `(CODRAW_\w+)` \| (?:`(.*?)`|–) \|", re.MULTILINE)
HERE = "http://127.0.0.1:8080"
INTERPRETER = ".venv/bin/python"
STAND_IN = f'curl() {{ PYTHONPATH={shlex.quote(str(ROOT))} {sys.executable} -m tests.support.curl "$@"; }}\n'
PATIENCE_S = 100


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(README) if found == language]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("readme")) as server:
        yield server


@pytest.fixture(scope="module", params=["curl", "stand-in"])
def tour(server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> str:
    """What the whole tour prints, taken with curl, and with what stands in for it where it is missing."""
    if request.param == "curl" and shutil.which("curl") is None:
        pytest.skip("curl is not on the path: README.md's requests were sent without it")
    folder = tmp_path_factory.mktemp("tour")
    clients = dict(zip(SAVED_AS.findall(README), blocks("python"), strict=True))
    for name, text in clients.items():
        (folder / name).write_text(text, "utf-8")
    script = "".join(blocks("bash"))
    assert script.count(HERE) == 1 and script.count(INTERPRETER) == len(clients)
    script = script.replace(HERE, server.http).replace(INTERPRETER, sys.executable)
    return taken(script if request.param == "curl" else STAND_IN + script, folder)


def taken(script: str, folder: Path) -> str:
    command = ["bash", "-euo", "pipefail", "-c", script]
    # Two programs print at the same time: unbuffered, each in many small pieces, in the midst of the other's line.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tour_works_to_its_last_line(tour: str) -> None:
    assert '"update_vector":1,' in tour
    assert tour.strip().splitlines()[-1] == "3"


def test_RE16_the_tour_reads_back_what_it_was_acknowledged(tour: str) -> None:
    assert 'etag: "1"' in tour
    assert '"label":"Web shop","attrs":{"body":{"fill":"#cfe2ff"}}' in tour


def test_the_classic_client_sees_what_the_other_drew(tour: str) -> None:
    assert "classic sees ['Customer', 'Payment', 'Warehouse', 'Web shop']" in tour


def test_VEC8_the_codraw_v1_client_hears_its_first_outcome_again(tour: str) -> None:
    receipt, again = re.findall(r"operation_accepted at vector (\d+)(.*)", tour)
    assert receipt[0] == again[0] and again[1] == " duplicate True"


def test_every_setting_stands_in_the_readme_with_its_default(no_settings: Path) -> None:
    settings = Settings()
    defaults = {variable(field): shown(settings, field) for field in Settings.model_fields}
    assert dict(SETTING.findall(README)) == defaults


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_and_every_path_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    astray = [target for target in LINK.findall(text) if not (document.parent / target).exists()]
    assert astray + [path for path in PATH.findall(text) if not (ROOT / path).exists()] == []


def test_every_decision_is_listed() -> None:
    listed = set(LINK.findall((ROOT / "docs/adr/README.md").read_text("utf-8")))
    assert listed == {path.name for path in (ROOT / "docs/adr").glob("0*.md")}
