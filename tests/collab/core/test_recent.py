"""What is kept for those who return (WS17)."""

from __future__ import annotations

import pytest

from collab.core import recent as module
from collab.core.apply import advance
from collab.core.kept import Kept
from collab.core.recent import Recent
from protocol.operations import LoggedOperation
from tests.support.script import FOUNDED, change, logged

BEFORE = (0, FOUNDED.state_hash)


def run_of(count: int, label: str = "x") -> tuple[LoggedOperation, ...]:
    diagram, operations = FOUNDED, []
    for number in range(1, count + 1):
        operations.append(logged(diagram, "bo", f"bo{number}", change("n1", label=f"{label}{number}")))
        diagram = advance(diagram, operations[-1])
    return tuple(operations)


THREE = run_of(3)
KEPT = [Kept.of(operation) for operation in THREE]
HASHES = [FOUNDED.state_hash, *(operation.state_hash for operation in THREE)]


@pytest.mark.parametrize("count", range(4))
def test_WS17_exactly_the_newest_are_given(count: int) -> None:
    assert Recent(3, BEFORE, KEPT).newest(count) == THREE[3 - count :]


@pytest.mark.parametrize("count", [-1, 4])
def test_WS17_what_is_ahead_or_was_never_kept_is_not_given(count: int) -> None:
    assert Recent(9, BEFORE, KEPT).newest(count) is None


def test_WS17_so_many_are_kept_and_not_one_more() -> None:
    recent = Recent(2, BEFORE, KEPT)
    assert recent.newest(2) == THREE[1:]
    assert recent.newest(3) is None


def test_WS17_I28_a_mebibyte_is_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESUME_BYTES", 1_000)
    long = run_of(3, label="x" * 400)
    recent = Recent(9, BEFORE, map(Kept.of, long))
    assert recent.newest(2) == long[1:]
    assert recent.newest(3) is None


def test_I28_an_operation_that_is_too_large_by_itself_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESUME_BYTES", 10)
    recent = Recent(9, BEFORE, KEPT)
    assert recent.newest(1) is None
    assert recent.newest(0) == ()
    assert recent.hash_at(3) == HASHES[3]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_WS17_the_hash_is_known_wherever_one_may_resume_from(limit: int) -> None:
    recent = Recent(limit, BEFORE, KEPT)
    assert [recent.hash_at(vector) for vector in range(3 - limit, 4)] == HASHES[3 - limit :]
    assert recent.hash_at(3 - limit - 1) is None
    assert recent.hash_at(4) is None


def test_WS17_a_hash_that_was_never_known_is_not_invented() -> None:
    assert Recent(9, None, KEPT).hash_at(0) is None
    assert Recent(9, None).hash_at(0) is None
