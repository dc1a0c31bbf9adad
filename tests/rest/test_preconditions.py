"""If-Match in the spellings that are out there."""

from __future__ import annotations

import pytest

from rest.preconditions import IfMatch


@pytest.mark.parametrize("header", ['"5"', "5", 'W/"5"', ' "5" ', '"4", "5"'])
def test_RE12_a_vector_is_read(header: str) -> None:
    read = IfMatch.of(header)
    assert read is not None and read.fits(5) and not read.fits(6)


@pytest.mark.parametrize("header", ["", "x", '"x"', "-5", '"5', "W/5", "5.0", "٥", "5" * 5_000])
def test_RE12_what_cannot_be_read_fits_nothing(header: str) -> None:
    read = IfMatch.of(header)
    assert read is not None and not read.fits(5) and not read.anything


def test_a_star_fits_everything_and_an_absent_header_is_none() -> None:
    star = IfMatch.of("*")
    assert star is not None and star.anything and star.fits(5)
    assert IfMatch.of(None) is None
