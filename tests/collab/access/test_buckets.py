"""Token buckets."""

from __future__ import annotations

from collab.access.buckets import Bucket, Buckets


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    bucket = Bucket(rate=10, burst=3, now_s=0)
    assert [bucket.take(0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(0) == 0.1
    assert bucket.take(0) == 0.2


def test_what_was_taken_ahead_is_paid_back() -> None:
    bucket = Bucket(rate=10, burst=1, now_s=0)
    for _ in range(6):
        bucket.take(0)
    assert bucket.take(0.5) == 0.1


def test_no_more_than_the_burst_is_saved_up() -> None:
    bucket = Bucket(rate=10, burst=2, now_s=0)
    assert [bucket.take(1_000) for _ in range(3)] == [0, 0, 0.1]


def test_who_only_asks_gets_nothing_ahead() -> None:
    bucket = Bucket(rate=2, burst=1, now_s=0)
    assert bucket.ask(0) == 0
    assert [bucket.ask(0) for _ in range(3)] == [0.5] * 3
    assert bucket.ask(0.5) == 0


def test_looking_takes_nothing() -> None:
    bucket = Bucket(rate=2, burst=1, now_s=0)
    assert [bucket.ready_in(0), bucket.ready_in(0), bucket.ask(0), bucket.ready_in(0)] == [0, 0, 0, 0.5]


def test_a_rate_of_zero_allows_everything() -> None:
    bucket = Bucket(rate=0, burst=0, now_s=0)
    assert {bucket.take(0) for _ in range(1_000)} == {0}
    assert bucket.ask(0) == bucket.ready_in(0) == 0


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(rate=1, burst=1)
    assert [buckets.ask("ana", 0), buckets.ask("ana", 0), buckets.ask("bo", 0)] == [0, 1, 0]
    assert [buckets.ready_in("ana", 0), buckets.ready_in("nobody", 0)] == [1, 0]


def test_the_key_unused_for_longest_is_forgotten() -> None:
    buckets = Buckets(rate=1, burst=1, keys=2)
    for key in ("ana", "bo", "ana", "cy"):
        buckets.ask(key, 0)
    assert [buckets.ready_in(key, 0) for key in ("ana", "bo", "cy")] == [1, 0, 1]


def test_what_is_left_is_told_and_kept() -> None:
    bucket = Bucket(rate=2, burst=3, now_s=0)
    bucket.take(0)
    assert [bucket.left(0), bucket.left(0.25), bucket.left(9), bucket.left(9)] == [2, 2.5, 3, 3]


def test_of_nobody_all_is_left() -> None:
    buckets = Buckets(rate=1, burst=2)
    buckets.ask("ana", 0)
    assert [buckets.left("ana", 0), buckets.left("nobody", 0)] == [1, 2]
