"""RESP values are cut where they end, and news alone is harmed."""

from __future__ import annotations

import pytest

from tests.campaign.redis_wire import Harm, RedisWire, corrupted, end_of, words


def message(payload: bytes) -> bytes:
    return b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%d\r\n%b\r\n" % (len(payload), payload)


def down(harm: Harm, *values: bytes, seed: int = 1) -> tuple[bytes, RedisWire]:
    wire = RedisWire(seed)
    wire.harm = harm
    _, news = wire.filters()
    return b"".join(piece for value in values for piece in news.feed(value)), wire


@pytest.mark.parametrize(
    "value",
    [
        b"+OK\r\n", b":12\r\n", b"$-1\r\n", b"$2\r\nab\r\n", b"*0\r\n", b"*-1\r\n", b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        b"%1\r\n+k\r\n:1\r\n", b">2\r\n+x\r\n_\r\n", b"|1\r\n+a\r\n+b\r\n+OK\r\n",
    ],
)  # fmt: skip
def test_a_value_ends_where_it_ends(value: bytes) -> None:
    assert end_of(value + b"+next\r\n") == len(value)
    assert all(end_of(value[:cut]) is None for cut in range(len(value)))


def test_what_is_no_news_passes_in_whatever_pieces_it_comes() -> None:
    wire = RedisWire(1)
    wire.harm = Harm(drop=1.0)
    _, news = wire.filters()
    said = b"+PONG\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    assert b"".join(piece for byte in said for piece in news.feed(bytes((byte,)))) == said


def test_news_is_dropped() -> None:
    passed, wire = down(Harm(drop=1.0), message(b"one"), b"+OK\r\n")
    assert (passed, wire.done["dropped"]) == (b"+OK\r\n", 1)


def test_news_is_doubled() -> None:
    assert down(Harm(double=1.0), message(b"one"))[0] == message(b"one") * 2


def test_news_is_shuffled_and_none_is_lost() -> None:
    news = [message(b"%d" % number) for number in range(50)]
    passed, _ = down(Harm(shuffle=50), *news)
    assert passed != b"".join(news)
    assert len(passed) == len(b"".join(news))


def test_corrupted_news_has_the_same_length_and_channel() -> None:
    passed, _ = down(Harm(corrupt=1.0), message(b"payload"))
    assert words(passed)[:2] == [b"message", b"c"]
    assert len(words(passed)[2]) == 7
    assert words(passed)[2] != b"payload"


def test_the_same_seed_harms_alike() -> None:
    news = [message(b"%d" % number) for number in range(50)]
    assert down(Harm(drop=0.5), *news, seed=7)[0] == down(Harm(drop=0.5), *news, seed=7)[0]


def test_nothing_to_corrupt_is_left_alone() -> None:
    import random

    assert corrupted(message(b""), random.Random(1)) == message(b"")


def test_a_publication_is_announced_before_and_after_it_passes() -> None:
    wire = RedisWire(1)
    told: list[str] = []

    def note(moment: str) -> bool:
        told.append(moment)
        return False

    wire.on_publish = note
    commands, _ = wire.filters()
    for _ in commands.feed(b"*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\np\r\n"):
        told.append("passed")
    assert told == ["before", "passed", "after"]
    assert wire.commands["PUBLISH"] == 1
    assert list(wire.published) == [(b"c", b"p")]
