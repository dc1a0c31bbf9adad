"""What is measured for minutes is not lost for want of a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tree import ROOT


def started(module: str, results: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, "--quick", "--rounds", "1", "--results", str(results)]
    only = "history" if module == "bench.growth" else "workers"
    return subprocess.run([*command, "--only", only], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["bench.run", "bench.growth"])
def test_a_folder_that_cannot_be_is_told_before_anything_is_measured(tmp_path: Path, module: str) -> None:
    (tmp_path / "file").touch()
    ended = started(module, tmp_path / "file" / "results")
    assert ended.returncode and not ended.stdout
