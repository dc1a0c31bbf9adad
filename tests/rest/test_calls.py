"""Ids have one spelling."""

from __future__ import annotations

import pytest

from rest.calls import uuid
from rest.problems import Problem

ID = "0d4c5a6b-7e8f-4a1b-9c2d-3e4f5a6b7c8d"


@pytest.mark.parametrize("text", [ID, ID.upper()])
def test_an_id_is_read_in_lower_case(text: str) -> None:
    assert uuid(text, "x") == ID


@pytest.mark.parametrize(
    "text",
    ["", "x", f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", ""), f"{ID} ", f"{ID}\n", "../" + ID, ID[:-1] + "g"],
)
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(Problem) as raised:
        uuid(text, "diagram_id")
    assert (raised.value.status, raised.value.error, raised.value.details["field"]) == (400, "invalid_id", "diagram_id")
