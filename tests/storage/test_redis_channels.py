"""What one subscribing connection is asked for, and when a channel counts as confirmed."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from storage.redis_channels import Channels, Listener


def hear(news: bytes | None) -> None:
    raise AssertionError("nobody speaks here")


def connected() -> Channels:
    channels = Channels()
    channels.connected()
    return channels


def test_a_channel_is_asked_for_once_however_many_listen() -> None:
    channels = connected()
    first, second = channels.join(b"c", hear), channels.join(b"c", hear)
    assert channels.due(sharded=False) == [(b"SUBSCRIBE", b"c")]
    assert channels.due(sharded=False) == []
    assert channels.answered(b"c")
    assert first.channel is second.channel
    assert first.channel.confirmed.is_set()


def test_a_server_that_shards_is_asked_so() -> None:
    channels = connected()
    listener = channels.join(b"c", hear)
    assert channels.due(sharded=True) == [(b"SSUBSCRIBE", b"c")]
    channels.leave(listener)
    assert channels.due(sharded=True) == [(b"SUNSUBSCRIBE", b"c")]


def test_the_last_who_leaves_ends_it() -> None:
    channels = connected()
    first, second = channels.join(b"c", hear), channels.join(b"c", hear)
    channels.due(sharded=False)
    channels.answered(b"c")
    channels.leave(first)
    assert channels.due(sharded=False) == []
    channels.leave(second)
    channels.leave(second)
    assert channels.due(sharded=False) == [(b"UNSUBSCRIBE", b"c")]
    assert len(channels) == 1
    assert channels.answered(b"c")
    assert len(channels) == 0


def test_who_comes_and_goes_before_anything_was_asked_leaves_no_trace() -> None:
    channels = connected()
    channels.leave(channels.join(b"c", hear))
    assert channels.due(sharded=False) == []
    assert len(channels) == 0


def test_who_comes_back_before_the_answer_waits_for_the_answer_to_the_last_request() -> None:
    channels = connected()
    first = channels.join(b"c", hear)
    channels.due(sharded=False)
    channels.leave(first)
    channels.due(sharded=False)
    second = channels.join(b"c", hear)
    channels.due(sharded=False)
    confirmed = second.channel.confirmed
    seen = []
    for _ in range(3):
        seen.append(confirmed.is_set())
        assert channels.answered(b"c")
    assert seen == [False, False, False]
    assert confirmed.is_set()
    assert channels.settled


def test_an_answer_out_of_order_or_unasked_is_noticed() -> None:
    channels = connected()
    assert not channels.answered(b"c")
    channels.join(b"c", hear)
    channels.join(b"d", hear)
    channels.due(sharded=False)
    assert not channels.answered(b"d")


def test_a_new_connection_is_asked_for_all_that_is_listened_to_and_for_nothing_else() -> None:
    channels = connected()
    kept, gone = channels.join(b"kept", hear), channels.join(b"gone", hear)
    channels.due(sharded=False)
    channels.answered(b"kept")
    channels.leave(gone)
    channels.due(sharded=False)
    channels.disconnected()
    assert not kept.channel.confirmed.is_set()
    channels.connected()
    assert channels.due(sharded=False) == [(b"SUBSCRIBE", b"kept")]
    assert len(channels) == 1


class Redis:
    """Answers in order, and knows who is subscribed."""

    def __init__(self) -> None:
        self.subscribed: set[bytes] = set()
        self.unanswered: list[bytes] = []

    def asked(self, channels: Channels) -> None:
        for verb, name in channels.due(sharded=False):
            assert isinstance(name, bytes)
            (self.subscribed.add if verb == b"SUBSCRIBE" else self.subscribed.discard)(name)
            self.unanswered.append(name)

    def answer(self, channels: Channels) -> None:
        if self.unanswered:
            assert channels.answered(self.unanswered.pop(0))


@given(st.lists(st.tuples(st.sampled_from("jlwacr"), st.integers(0, 3))))
def test_whatever_comes_and_goes_the_confirmed_are_subscribed_and_nothing_is_forgotten(
    steps: list[tuple[str, int]],
) -> None:
    channels, redis = connected(), Redis()
    here: list[Listener] = []

    def leave(n: int) -> None:
        if here:
            channels.leave(here.pop(n % len(here)))

    def reconnect(_: int) -> None:
        channels.disconnected()
        redis.__init__()  # type: ignore[misc]
        channels.connected()

    acts: dict[str, Callable[[int], None]] = {
        "j": lambda n: here.append(channels.join(b"%d" % n, hear)),
        "l": leave,
        "w": lambda _: redis.asked(channels),
        "a": lambda _: redis.answer(channels),
        "c": lambda _: channels.connected(),
        "r": reconnect,
    }
    for act, n in steps:
        acts[act](n)
        sure = {listener.channel.name for listener in here if listener.channel.confirmed.is_set()}
        assert sure <= redis.subscribed
    redis.asked(channels)
    while redis.unanswered:
        redis.answer(channels)
    wanted = {listener.channel.name for listener in here}
    assert redis.subscribed == wanted
    assert len(channels) == len(wanted)
    assert all(listener.channel.confirmed.is_set() for listener in here)
