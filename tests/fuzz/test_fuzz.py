"""A share of `make fuzz` that is the same every time: no answer is one that openapi.yml does not promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run import Fuzz

SEED = 1
TWINS = (
    r"/(documents|repositories|notes)(/|$)"  # the same code as assets
    r"|/(diagrams|threats)/\{\w+\}/metadata"  # as the metadata of assets and of threat models
    r"|^/threat_models/\{\w+\}/threats(/|$)"  # as /threats, and as the bulk of metadata
)
"""What of them differs is in the document: with `make fuzz` each is asked everything, here once or twice."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("profile", "share", "least"),
    [
        ("wiki", ("--phases", "examples,coverage", "--exclude-path-regex", TWINS), 3_000),
        ("tmi", ("--phases", "fuzzing,stateful"), 200),
    ],
    ids=["wiki", "tmi"],
)
def test_S90_what_is_made_up_from_the_document_is_answered_as_it_says(
    tmp_path: Path, profile: str, share: tuple[str, ...], least: int
) -> None:
    with Fuzz(tmp_path, api_profile=profile) as fuzz:
        outcome = fuzz.run(SEED, *share, "--max-examples", "1", "--no-shrink")
        assert outcome.good, outcome.text[-20_000:]
        assert outcome.cases > least
