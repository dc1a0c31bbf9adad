"""The quick cases of the suite; `make autobahn` plays all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.autobahn.suite import WAYS, echo, faults, play
from tests.support.tree import lines

SLOW = ("5.19", "5.20", "6.4.*", "9.*")
"""Fragments with a second's pause between them, and the cases of long messages."""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_suite_finds_no_fault(autobahn: str, tmp_path: Path, loop: str) -> None:
    with echo(loop, tmp_path) as url:
        found = play(autobahn, {way: f"{url}/{way}" for way in WAYS}, tmp_path / "report", but=SLOW)
    for way in WAYS:
        assert len(found[way]) == 241
        assert not faults(found[way]), lines(faults(found[way]))
    assert "Traceback" not in (tmp_path / f"{loop}.log").read_text()
