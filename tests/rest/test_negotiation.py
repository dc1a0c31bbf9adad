"""What a client would take, and what it likes best."""

from __future__ import annotations

import pytest

from rest.negotiation import accepts_gzip, liking, prefers_html, prefers_png, weights_of


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("br, *;q=0.1", True),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br, deflate", False),
        ("identity", False),
        ("", False),
    ],
)
def test_who_takes_gzip_says_so(said: str, takes: bool) -> None:
    assert accepts_gzip(said) is takes


def test_what_nobody_weighs_weighs_one() -> None:
    assert weights_of("a/b;q=0.5, C/D ;v=1, e/f;v=1; q=0") == {"a/b": 0.5, "c/d": 1.0, "e/f": 0.0}


def test_what_names_a_kind_most_exactly_counts() -> None:
    weights = weights_of("*/*;q=0.1, image/*;q=0.5, image/png;q=0.2")
    assert [liking(weights, kind) for kind in ("image/png", "image/gif", "text/html")] == [0.2, 0.5, 0.1]
    assert liking(weights_of("text/plain"), "image/png") == 0


@pytest.mark.parametrize("accept", ["*/*", "text/*", "text/html;q=0.5, application/*", ""])
def test_a_page_is_for_who_names_it_and_likes_nothing_better(accept: str) -> None:
    assert prefers_html("text/html, application/*;q=0.9") and not prefers_html(accept)


@pytest.mark.parametrize("accept", ["*/*", "image/*", "image/svg+xml, image/png", "image/png;q=0, */*", ""])
def test_a_png_is_for_who_likes_it_better_than_svg(accept: str) -> None:
    assert prefers_png("image/png, image/*;q=0.8") and not prefers_png(accept)
