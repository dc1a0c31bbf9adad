"""Labels in lines that fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest.image.measures import ELLIPSIS, shortened, width_of, wrapped


def test_wide_letters_take_more_room_than_narrow_ones() -> None:
    assert width_of("WWW", 14) > width_of("iii", 14) * 2
    assert width_of("日本", 10) == 20
    assert width_of("e\u0301", 10) == width_of("e", 10)


def test_words_fill_lines_and_a_line_end_ends_one() -> None:
    assert list(wrapped("one two three", 14, 60, 9)) == ["one two", "three"]
    assert list(wrapped("one\ntwo", 14, 600, 9)) == ["one", "two"]
    assert list(wrapped("  \n ", 14, 600, 9)) == []


def test_a_line_of_chinese_or_japanese_ends_behind_any_letter_and_never_before_a_full_stop() -> None:
    assert list(wrapped("決済サービスは、", 10, 40, 9)) == ["決済サー", "ビスは、"]
    assert list(wrapped("注文を受ける。", 10, 60, 9)) == ["注文を受け", "る。"]
    assert list(wrapped("API 決済", 10, 30, 9)) == ["API 決", "済"]
    assert list(wrapped("日本 語", 10, 100, 9)) == ["日本 語"]


@pytest.mark.parametrize("first", ["\u200b", "\ufeff", "\u0301"])
def test_a_label_may_begin_with_what_has_no_width(first: str) -> None:
    assert list(wrapped(f"{first}日本", 10, 100, 9)) == [f"{first}日本"]
    assert list(wrapped(f"a\n{first}", 10, 100, 9)) == ["a", first]


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    assert list(wrapped("one two three", 14, 40, 2)) == ["one", f"two {ELLIPSIS}"]
    assert shortened("x" * 100, 14, 50).endswith(ELLIPSIS)


@pytest.mark.parametrize("room", [-13, 0, 3])
def test_without_room_there_is_still_a_letter(room: float) -> None:
    assert shortened("word", 14, room) == f"w{ELLIPSIS}"


@given(st.text(max_size=2_000), st.floats(20, 400), st.integers(1, 9))
def test_lines_are_as_many_and_as_wide_as_there_is_room(label: str, room: float, most: int) -> None:
    lines = wrapped(label, 14, room, most)
    assert len(lines) <= most
    assert all(len(line) <= 2 or width_of(line, 14) <= room + 14 for line in lines)
