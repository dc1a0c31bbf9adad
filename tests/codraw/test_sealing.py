"""Sealed secrets: opened by whoever has the key, and by nobody else."""

from __future__ import annotations

from codraw.sealing import Sealing

KEY, FORMER = b"n0t-a-default:9f2c41d7e8b35a60c1d2", b"another:0000000000000000000000000"
SECRET = "your-webhook-secret é"


def test_what_was_sealed_is_opened() -> None:
    sealed = Sealing([KEY]).seal(SECRET)
    assert "webhook" not in sealed
    assert Sealing([KEY]).open(sealed) == SECRET


def test_two_seals_of_one_secret_do_not_look_alike() -> None:
    assert Sealing([KEY]).seal(SECRET) != Sealing([KEY]).seal(SECRET)


def test_another_key_opens_nothing() -> None:
    sealed = Sealing([KEY]).seal(SECRET)
    assert Sealing([FORMER]).open(sealed) is None
    assert Sealing([KEY]).open(sealed[:-3] + "abc") is None
    assert Sealing([KEY]).open("") is None


def test_after_a_change_of_keys_the_former_one_still_opens() -> None:
    sealed = Sealing([FORMER]).seal(SECRET)
    both = Sealing([KEY, FORMER])
    assert both.open(sealed) == SECRET
    assert Sealing([FORMER]).open(both.seal(SECRET)) is None
