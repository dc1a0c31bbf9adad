"""What `make` does where something is missing; what it does where everything is there, every run of the tests shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tree import ROOT

WITHOUT_PIP = """#!/bin/sh
if [ "$*" = "-m venv --clear .venv" ]; then
  mkdir -p .venv/bin
  ln -s "$0" .venv/bin/python
  exit 1
fi
exec "{python}" "$@"
"""
"""Debian's Python without its package for environments: it leaves one that has no pip."""


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The project's own rules, on a folder that is not the project."""
    if shutil.which("make") is None:
        pytest.skip("make is not on the path")
    command = ["make", "-f", str(ROOT / "Makefile"), *arguments]
    # what the make that runs the tests was told is not for this one
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_an_environment_that_could_not_be_made_is_made_anew_the_next_time(tmp_path: Path) -> None:
    python = tmp_path / "python3.99"
    python.write_text(WITHOUT_PIP.format(python=sys.executable))
    python.chmod(0o755)
    done = make(tmp_path, ".venv/bin/python", f"PYTHON={python}")
    assert done.returncode != 0 and "apt-get install python3.99-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()
