"""Values in columns of text."""

from __future__ import annotations

import msgspec
import pytest

from protocol.refusals import Reason, Refusal
from storage import columns
from storage.database import DamagedRow
from tests.contracts.worlds import ANA, CELLS, operation


@pytest.mark.parametrize("state_hash", [0, 1, 2**64, 2**128 - 1])
def test_a_state_hash_is_32_digits(state_hash: int) -> None:
    text = columns.hash_text(state_hash)
    assert len(text) == 32
    assert columns.hash_value(text) == state_hash


def test_an_operation_is_read_as_it_was_written() -> None:
    given = operation(7, group_id="g", undo_of=3)
    *row, user_id = columns.operation_row(given)
    assert user_id == ANA.id
    assert columns.operation(row) == given


def test_a_row_that_cannot_be_read_says_where() -> None:
    row = list(columns.operation_row(operation(7)))[:-1]
    row[4] = '{"cells": 7}'
    with pytest.raises(DamagedRow, match="operation 7 of the log") as caught:
        columns.operation(row)
    assert caught.value.vector == 7


def test_numbers_and_letters_survive() -> None:
    assert columns.cells(columns.text(CELLS)) == CELLS
    odd = {"big": 2**53 - 1, "small": 1e-7, "negative": -0.5, "é€😀": ["\u2028", None, True, {}]}
    assert columns.fields(columns.text(odd)) == odd


@pytest.mark.parametrize("damaged", ["[7]", '[{"id": "a"}, []]', '[{"id": "a"}', "{}"])
def test_what_is_no_list_of_cells_is_refused_as_it_is_read(damaged: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        columns.cells(damaged)


def test_an_answer_without_words_is_none() -> None:
    assert columns.answer(None) == columns.Answer()
    refused = columns.Answer(Refusal(Reason.CONFLICT_DETECTED, "why", retry_after_ms=5))
    assert columns.answer(columns.text(refused)) == refused


def test_a_secret_is_kept_as_a_digest() -> None:
    assert len(columns.secret_digest("a")) == 32
    assert columns.secret_digest("a") != columns.secret_digest("b")
