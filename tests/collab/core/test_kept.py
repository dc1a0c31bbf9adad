"""An operation that was kept is what it was."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.core.kept import Kept, step
from protocol.operations import Kind, Outcome, Verdict
from protocol.values import Epoch, OperationId
from tests.support.drawing import ANA, history


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([None, "g", "ü\u2028"]), st.sampled_from([None, 0, 7]))
def test_WS17_UN1_it_is_the_same_operation_after_it_was_kept(seed: int, group: str | None, undo_of: int | None) -> None:
    for number, (_, done) in enumerate(history(seed, 20)):
        if done is not None:
            told = msgspec.structs.replace(done, kind=list(Kind)[number % len(Kind)], group_id=group, undo_of=undo_of)
            assert Kept.of(told).operation == told


@pytest.mark.parametrize("number", [0.1 + 0.2, -0.0, 1e300, 5.0, 5, 2**53 - 1])
def test_a_number_is_kept_to_its_last_bit(number: float) -> None:
    *_, (_, done) = ((before, done) for before, done in history(3, 20) if done is not None)
    assert done is not None
    cell = msgspec.structs.replace(done.effect.cells[0], data={"x": number})
    told = msgspec.structs.replace(done, effect=msgspec.structs.replace(done.effect, cells=(cell,)))
    (kept,) = Kept.of(told).operation.effect.cells
    assert kept.data is not None
    assert repr(kept.data["x"]) == repr(number)


def test_UN6_an_undo_that_had_no_effect_is_kept_as_its_outcome() -> None:
    futile = Outcome(ANA, OperationId("u"), b"", Verdict.NO_OP, Epoch("e"), 3, Kind.UNDO)
    assert step(futile) is futile
