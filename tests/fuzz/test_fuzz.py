"""A share of `make fuzz` that is the same every time: no answer is one that openapi.yml does not promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run import Fuzz

SEED = 1
TWINS = "/(documents|repositories|notes)(/|$)"
"""The same code as assets; `make fuzz` asks them, too."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("profile", "phases", "examples", "least"),
    [("wiki", "examples,coverage", "1", 1_000), ("tmi", "fuzzing,stateful", "3", 300)],
)
def test_S90_what_is_made_up_from_the_document_is_answered_as_it_says(
    tmp_path: Path, profile: str, phases: str, examples: str, least: int
) -> None:
    with Fuzz(tmp_path, api_profile=profile) as fuzz:
        share = ("--phases", phases, "--max-examples", examples, "--exclude-path-regex", TWINS)
        outcome = fuzz.run(SEED, *share, "--no-shrink")
        assert outcome.good, outcome.text[-20_000:]
        assert outcome.cases > least
