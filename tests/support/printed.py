"""The programs that TMI's wiki prints, read from `tests/data`, made to meet this server, and run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.tree import ROOT

BLOCK = re.compile(r"^## ([\w ]+: \w+)\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALLBACK = "http://localhost:3000/callback"
PATIENCE_S = 100.0
"""Go builds its library once on a machine."""
RUNNING: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def printed(page: str, *titles: str) -> str:
    """Programs of a page, by their headings, one below the other."""
    found = dict(BLOCK.findall((ROOT / "tests/data" / f"{page}.md").read_text("utf-8")))
    return "\n\n".join(found[title] for title in titles)


def placed(program: str, base: str, token: str = "") -> str:
    """With what the pages leave for the reader to put in."""
    own = {"https://api.tmi.dev": base, "your-jwt-token": token, "https://your-app.com/callback": CALLBACK}
    for theirs, ours in own.items():
        program = program.replace(theirs, ours)
    return program


def saved(folder: Path, name: str, program: str) -> Path:
    path = folder / name
    path.write_text(program, "utf-8")
    return path


def started(command: Sequence[str | Path], **given: Any) -> subprocess.Popen[str]:
    """`stdin` where somebody types."""
    return subprocess.Popen(command, **RUNNING, **given)


def heard(running: subprocess.Popen[str], beginning: str) -> str:
    """The next line of its output that begins so."""
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith(beginning):
            return line.strip()
    _, errors = running.communicate(timeout=PATIENCE_S)
    raise AssertionError(f"it never said {beginning!r}:\n{errors[-4_000:]}")


def ended(running: subprocess.Popen[str], typed: str | None = None) -> str:
    """The rest of what it says; it ends without a fault."""
    with running:
        try:
            said, errors = running.communicate(typed, timeout=PATIENCE_S)
        finally:
            running.kill()
    assert running.returncode == 0, f"{said[-2_000:]}\n{errors[-4_000:]}"
    return said


def python(program: Path) -> list[str | Path]:
    """Unbuffered, so that what it says is heard while it runs."""
    return [sys.executable, "-u", program]
