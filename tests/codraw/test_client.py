"""The package as programs import it: light, typed, and its README says what works."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import codraw.client
from tests.support.servers import Server
from tests.support.tree import ROOT

README = ROOT / "codraw" / "client" / "README.md"


def test_the_import_brings_no_server_along() -> None:
    names = ["starlette", "uvicorn", "storage", "rest", "sqlite3", "pydantic", "jwt", "codraw.app", "collab.rooms"]
    program = f"import sys, codraw.client; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_that_is_offered_is_there_and_documented() -> None:
    for name in codraw.client.__all__:
        assert getattr(codraw.client, name) is not None
    undocumented = [
        name
        for name, member in vars(codraw.client.LiveDiagram).items()
        if callable(member) and not name.startswith("_") and name not in HEARD_BY_THE_WIRE and not member.__doc__
    ]
    assert undocumented == ["cell", "redo"]  # which say it by their name


HEARD_BY_THE_WIRE = {"address", "lost", "changed", "heard"}


def test_it_is_typed() -> None:
    assert (ROOT / "codraw" / "client" / "py.typed").is_file()


async def test_the_example_of_the_readme_runs_as_it_stands(server: Server) -> None:
    (example,) = re.findall(r"```python\n(import asyncio\n.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(example.strip().splitlines()) <= 30
    program = example.replace("http://127.0.0.1:8080", server.http)
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-c",
        program,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await running.communicate()
    assert (running.returncode, errors.decode()) == (0, "")
    expected = re.findall(r"```text\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[0]
    assert out.decode() == expected
