"""Frames that a library would never send, on the real endpoint: each is answered or closed as RFC 6455 says."""

from __future__ import annotations

import pytest

from tests.support.raw import CLOSE, PING, PONG, TEXT, Raw, frame
from tests.support.servers import Meeting

CONTINUATION, BINARY = 0, 2
RSV1, RSV2, RSV3 = 64, 32, 16
ASKED = b'{"message_type":"heartbeat"}'
"""What the server answers by the same type."""

NO_UTF8 = {
    "a lone byte": frame(TEXT, b'{"a":"\xff"}'),
    "a surrogate": frame(TEXT, b"\xed\xa0\x80"),
    "beyond Unicode": frame(TEXT, b"\xf4\x90\x80\x80"),
    "overlong": frame(TEXT, b"\xc0\xaf"),
    "cut short": frame(TEXT, b"{}\xe2\x82"),
    "cut short in fragments": frame(TEXT, b"{}\xe2", fin=False) + frame(CONTINUATION, b"\x82"),
    "a reason": frame(CLOSE, b"\x03\xe8\xce\xba\xff"),
}
UNHEARD_OF = {
    **{f"reserved bits {bits:#x}": frame(TEXT | bits, ASKED) for bits in (RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3)},
    **{f"opcode {opcode}": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping with a reserved bit": frame(PING | RSV1),
    "a long ping": frame(PING, bytes(126)),
    "a long close": frame(CLOSE, b"\x03\xe8" + bytes(124)),
    "a ping in fragments": frame(PING, b"x", fin=False),
    "a continuation of nothing": frame(CONTINUATION, b"x"),
    "a second beginning": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
    "a continuation after the end": frame(TEXT, ASKED) + frame(CONTINUATION, b"x"),
    "half a code": frame(CLOSE, b"\x03"),
    "a frame that is not masked": b"\x81\x02{}",
}
NO_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)
CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)


@pytest.fixture
async def raw(meeting: Meeting) -> Raw:
    return await Raw.join(meeting, meeting.host, window=65_536)


async def closed(raw: Raw) -> bytes:
    """The payload of the close frame, behind which the server ends the connection too."""
    while (read := await raw.read())[0] != CLOSE:
        pass
    with pytest.raises(ConnectionError):
        await raw.read()
    return read[1]


async def answer(raw: Raw) -> None:
    while b'"heartbeat"' not in (await raw.read())[1]:
        pass


def code(number: int) -> bytes:
    return number.to_bytes(2, "big")


@pytest.mark.parametrize("sent", NO_UTF8.values(), ids=NO_UTF8.keys())
async def test_WS4_what_is_no_UTF8_closes_1007(raw: Raw, sent: bytes) -> None:
    await raw.send(sent)
    assert (await closed(raw))[:2] == code(1007)


@pytest.mark.parametrize("sent", UNHEARD_OF.values(), ids=UNHEARD_OF.keys())
async def test_what_the_protocol_does_not_know_closes_1002(raw: Raw, sent: bytes) -> None:
    await raw.send(sent)
    assert (await closed(raw))[:2] == code(1002)


@pytest.mark.parametrize("number", NO_CODES)
async def test_a_close_by_a_code_that_nobody_may_send_is_answered_1002(raw: Raw, number: int) -> None:
    await raw.say(CLOSE, code(number))
    assert (await closed(raw))[:2] == code(1002)


@pytest.mark.parametrize("number", CODES)
async def test_a_close_is_answered_with_its_own_code(raw: Raw, number: int) -> None:
    await raw.say(CLOSE, code(number) + b"why")
    assert await closed(raw) == code(number) + b"why"


async def test_a_close_without_a_code_is_answered_without_one(raw: Raw) -> None:
    await raw.say(CLOSE)
    assert await closed(raw) == b""


async def test_a_close_amid_the_fragments_of_a_message_is_a_close(raw: Raw) -> None:
    """RFC 6455, 5.5.1."""
    await raw.send(frame(TEXT, b"{", fin=False) + frame(CLOSE, code(1000)) + frame(CONTINUATION, b"}"))
    assert await closed(raw) == code(1000)


async def test_what_follows_a_close_is_not_heard(raw: Raw) -> None:
    await raw.send(frame(CLOSE, code(1000)) + frame(PING, b"late") + frame(CLOSE, code(1002)))
    seen = [await raw.read()]
    while seen[-1][0] != CLOSE:
        seen.append(await raw.read())
    assert (seen[-1][1], PONG in {opcode for opcode, _ in seen}) == (code(1000), False)


@pytest.mark.parametrize("length", [262_145, 2**62, 2**64 - 1])
async def test_WS4_a_frame_that_only_says_it_is_too_long_closes_1009(raw: Raw, length: int) -> None:
    await raw.send(b"\x81\xff" + length.to_bytes(8, "big") + bytes(4))
    assert (await closed(raw))[:2] == code(1009)


async def test_WS4_fragments_that_together_are_too_long_close_1009(raw: Raw) -> None:
    await raw.say(TEXT, b" " * 60_000, fin=False)
    for _ in range(4):
        await raw.say(CONTINUATION, b" " * 60_000, fin=False)
    assert (await closed(raw))[:2] == code(1009)


async def test_a_ping_amid_the_fragments_of_a_message_is_answered_at_once(raw: Raw) -> None:
    await raw.say(TEXT, ASKED[:9], fin=False)
    await raw.say(PING, bytes(125))
    while (read := await raw.read())[0] != PONG:
        pass
    assert read[1] == bytes(125)
    await raw.say(CONTINUATION, ASKED[9:])
    await answer(raw)


async def test_a_pong_that_nobody_asked_for_is_left_alone(raw: Raw) -> None:
    await raw.send(frame(PONG) + frame(PONG, b"x") + frame(TEXT, ASKED))
    await answer(raw)


async def test_a_message_may_come_byte_for_byte_and_in_empty_fragments(raw: Raw) -> None:
    parts = frame(TEXT, b"", fin=False) + frame(CONTINUATION, ASKED, fin=False) + frame(CONTINUATION)
    for at in range(len(parts)):
        await raw.send(parts[at : at + 1])
    await answer(raw)
