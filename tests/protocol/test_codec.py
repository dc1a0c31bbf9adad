"""What a frame may hold and how it comes out; hostile input ends in one exception type."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.codec import MAX_LEVELS, MAX_NUMBER, Encoding, decode, decode_body, encode
from protocol.refusals import ProtocolError, Trouble

JSON, MSGPACK = Encoding.JSON, Encoding.MSGPACK
BOTH = pytest.mark.parametrize("encoding", list(Encoding))

OPERATION: dict[str, Any] = {
    "message_type": "operation",
    "operation_id": "4f0c2f9e-6d0f-4a39-8a55-0f6d2b1c9e77",
    "base_vector": 41,
    "ref": "r1",
    "operation": {
        "type": "patch",
        "cells": [{"id": "a", "operation": "update", "data": {"x": 1.5, "visible": True, "label": None, "ports": []}}],
    },
}


def refusal(frame: bytes | str, encoding: Encoding = JSON) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        decode(frame, encoding)
    return caught.value


def with_value(text: str) -> str:
    return f'{{"operation_id":"op","ref":"r","value":{text}}}'


def nested(levels: int) -> str:
    """A message with that many levels, itself the first."""
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


@BOTH
def test_a_message_comes_back_as_it_went(encoding: Encoding) -> None:
    assert decode(encode(OPERATION, encoding), encoding) == OPERATION


def test_a_text_frame_may_be_str_or_bytes() -> None:
    assert decode('{"a":"é😀"}', JSON) == decode('{"a":"é😀"}'.encode(), JSON) == {"a": "é😀"}


# -- one object a frame ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["[]", '"a"', "1", "null", "true", "[{}]"])
def test_WS3_S60_a_message_is_an_object(frame: str) -> None:
    assert refusal(frame).message == "a message is exactly one object"
    assert decode_body(frame.encode()) == json.loads(frame)


@pytest.mark.parametrize("frame", ['{"a":1}{"a":2}', '{"a":1}\n{"a":2}', '{"a":1},', "{}\0"])
def test_WS3_a_message_stands_alone(frame: str) -> None:
    assert refusal(frame).trouble is Trouble.MALFORMED


def test_WS3_a_message_stands_alone_in_messagepack_too() -> None:
    one = encode({"a": 1}, MSGPACK)
    assert refusal(one + one, MSGPACK).trouble is Trouble.MALFORMED


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\x01"}',
        b"{'a':1}",
        b'{"a":01}',
        b'{"a":1,}',
        b"{} // comment",
        b'{"a"',
        b"\x81\xa1a\x01",
    ],
)
def test_S52_S60_what_is_not_JSON_in_UTF_8_is_refused(frame: bytes) -> None:
    error = refusal(frame)
    assert (error.trouble, error.operation_id, error.ref) == (Trouble.MALFORMED, None, None)
    with pytest.raises(ProtocolError):
        decode_body(frame)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xc1",
        b"\x01",
        b"\x90",
        b"\x81",
        b"\x81\xa1a",
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xa1a\xdd\xff\xff\xff\xff",
        b"\x81\xa1a\xa1\xff",
        b"\x81\xa1a\xa3\xed\xa0\x80",
        b'{"a":1}',
    ],
)
def test_S60_what_is_not_one_messagepack_map_is_refused(frame: bytes) -> None:
    assert refusal(frame, MSGPACK).trouble is Trouble.MALFORMED


def test_S60_text_does_not_pass_as_messagepack() -> None:
    assert refusal('{"a":1}', MSGPACK).trouble is Trouble.MALFORMED


# -- numbers -----------------------------------------------------------------------------------------------------------

BAD_NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9007199254740992", "-9007199254740992"),
    *("9007199254740992.0", "9007199254740993.5", "1e16", "18446744073709551616", "9" * 5_000, "1" + "0" * 400 + ".5"),
]


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=lambda number: number[:24])
def test_OP14_S50_a_number_out_of_range_is_refused(number: str) -> None:
    error = refusal(with_value(number))
    assert (error.trouble, error.operation_id, error.ref) == (Trouble.MALFORMED, "op", "r")
    refusal(with_value(f'{{"deep":[{number}]}}'))
    with pytest.raises(ProtocolError):
        decode_body(number.encode())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 2**53, -(2**53), 2.0**53, 2**64 - 1])
def test_OP14_S50_a_number_out_of_range_is_refused_in_messagepack(number: float) -> None:
    error = refusal(msgpack.packb({"operation_id": "op", "value": [number]}), MSGPACK)
    assert (error.message, error.operation_id) == ("a number is out of range", "op")


@pytest.mark.parametrize("number", [MAX_NUMBER, -MAX_NUMBER, 0, 1.5, 5e-324, 1e-7, 4503599627370495.5])
@BOTH
def test_OP14_a_number_in_range_passes(number: float, encoding: Encoding) -> None:
    assert decode(encode({"a": number}, encoding), encoding) == {"a": number}


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.0", 1), ("1e2", 100), ("-0", 0), ("-0.0", 0), ("0e-9", 0), ("-1E-400", 0), ("9e15", 9 * 10**15)],
)
def test_OP15_S50_whole_floats_become_integers_and_minus_zero_zero(text: str, number: int) -> None:
    for value in (decode(with_value(text), JSON)["value"], decode(with_value(f"[{text}]"), JSON)["value"][0]):
        assert type(value) is int
        assert value == number
    assert type(decode_body(text.encode())) is int


def test_OP15_whole_floats_become_integers_in_messagepack() -> None:
    for packed in (
        msgpack.packb({"a": -0.0, "b": [3.0]}),
        msgpack.packb({"a": -0.0, "b": [3.0]}, use_single_float=True),
    ):
        assert encode(decode(packed, MSGPACK), JSON) == b'{"a":0,"b":[3]}'


def test_OP15_what_goes_out_is_our_own_serialisation() -> None:
    message = decode('{ "b" : 1.0e2,\t"a": "\\u0041\\/" }', JSON)
    assert encode(message, JSON) == b'{"b":100,"a":"A/"}'


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['"\\u0000"', '"a\\u0000b"', '{"\\u0000":1}', '["\\\\\\u0000"]'])
def test_OP14_S52_NUL_is_refused(text: str) -> None:
    error = refusal(with_value(text))
    assert (error.operation_id, "NUL" in error.message) == ("op", True)


@pytest.mark.parametrize("value", ["\0", {"a\0": 1}, [["x\0"]]])
def test_OP14_S52_NUL_is_refused_in_messagepack(value: Any) -> None:
    assert "NUL" in refusal(encode({"a": value}, MSGPACK), MSGPACK).message


def test_S52_an_escaped_backslash_before_u0000_is_no_NUL() -> None:
    assert decode(with_value('"\\\\u0000"'), JSON)["value"] == "\\u0000"


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00"', '"\\ude00\\ud83d"', '"\\ud83dx"', '{"\\ud800":1}'])
def test_OP14_S52_a_lone_surrogate_is_refused(text: str) -> None:
    assert refusal(with_value(text)).operation_id == "op"


def test_S52_a_str_with_a_lone_surrogate_is_refused() -> None:
    assert refusal('{"a":"\ud800"}').trouble is Trouble.MALFORMED


def test_S52_a_pair_of_surrogates_is_one_character_and_other_controls_pass() -> None:
    text = '"\\ud83d\\ude00 \\u0001\\u202e' + "e" + "\\u0301" * 100 + '"'
    assert decode(with_value(text), JSON)["value"] == "😀 \x01\u202ee" + "\u0301" * 100


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"k":1,"k":1}',
        '{"k":1,"\\u006b":2}',
        '[{"deep":{"k":{},"k":{}}}]',
        '{"k":":","k":1}',
        '{"k":1,"k":"no colon","x":"\\u003a"}',
        '{"k":{"a":1,"b":2},"k":0}',
    ],
)
def test_OP14_S51_a_key_stands_once_in_an_object(text: str) -> None:
    error = refusal(with_value(text))
    assert (error.message, error.operation_id) == ("a key stands twice in one object", "op")


@pytest.mark.parametrize(
    "frame", ['{"a":"::","a":1}', '{"a":1,"b":{"c":":","c":":"}}', '{"a": ":", "a": 1}', '{"a":1.0,"b":":::","b":2}']
)
def test_colons_in_strings_hide_no_key_that_stands_twice(frame: str) -> None:
    assert refusal(frame).message == "a key stands twice in one object"


@pytest.mark.parametrize("white", [" ", "\t", "\n", "\r"])
def test_OP14_S51_white_space_hides_no_key_that_stands_twice(white: str) -> None:
    assert refusal(f'{{"a"{white}:1,"a":2}}').message == "a key stands twice in one object"


def test_colons_in_strings_make_a_frame_without_spaces_no_dearer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second parse, by a slower parser, took half of what decoding did."""
    monkeypatch.delattr("protocol.codec.json.loads")
    assert decode('{"a":"https://x/?a:b","b":[1,2.5,{"c":"::"}]}', JSON)["b"] == [1, 2.5, {"c": "::"}]


def test_OP14_S51_a_key_stands_once_at_the_top() -> None:
    assert refusal('{"a":1,"a":1}').message == "a key stands twice in one object"
    assert refusal(b"\x82\xa1a\x01\xa1a\x01", MSGPACK).message == "a key stands twice in one object"


@pytest.mark.parametrize(
    "rest", [b"", b"\xa1b\xca\x3f\xc0\x00\x00", b"\xa1b\xcd\x00\x01"], ids=["", "float32", "long int"]
)
def test_OP14_S51_a_key_stands_once_in_a_messagepack_map(rest: bytes) -> None:
    inner = bytes([0x82 + bool(rest)]) + b"\xa1a\x01\xa1a\x02" + rest
    assert refusal(b"\x81\xa1v" + inner, MSGPACK).message == "a key stands twice in one object"


def test_S51_colons_in_strings_and_the_same_key_in_two_objects_are_fine() -> None:
    message = {"at": "10:00:00", "a:b": {"k": "::"}, "list": [{"k": 1}, {"k": 2}]}
    assert decode(encode(message, JSON), JSON) == message
    assert decode(msgpack.packb(message | {"f": 0.5}, use_single_float=True), MSGPACK) == message | {"f": 0.5}


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype", "__prot\\u006f__", "\\u0063onstructor"])
def test_OP14_S54_keys_that_reach_into_prototypes_are_refused(key: str) -> None:
    for text in (f'{{"{key}":1}}', f'[{{"a":{{"{key}":{{}}}}}}]'):
        error = refusal(with_value(text))
        assert (error.operation_id, "not allowed" in error.message) == ("op", True)
    refusal(f'{{"{key}":1}}')


def test_OP14_S54_they_are_refused_in_messagepack_and_fine_as_values() -> None:
    assert "not allowed" in refusal(encode({"a": {"__proto__": 1}}, MSGPACK), MSGPACK).message
    assert decode(with_value('"__proto__"'), JSON)["value"] == "__proto__"


@pytest.mark.parametrize("key", [1, b"a", None, True, 1.5, (1, 2)])
def test_S60_keys_of_messagepack_are_strings(key: Any) -> None:
    refusal(msgpack.packb({"a": {key: 1}}), MSGPACK)
    refusal(msgpack.packb({key: 1}), MSGPACK)


@pytest.mark.parametrize("value", [b"bin", msgpack.ExtType(5, b"x"), msgpack.Timestamp(1, 0)])
def test_S60_binary_and_extension_types_are_refused(value: Any) -> None:
    assert refusal(msgpack.packb({"a": [value]}), MSGPACK).trouble is Trouble.MALFORMED


# -- depth and size ----------------------------------------------------------------------------------------------------


@BOTH
def test_OP14_S53_32_levels_pass_and_33_do_not(encoding: Encoding) -> None:
    for levels, passes in ((MAX_LEVELS, True), (MAX_LEVELS + 1, False)):
        message = json.loads(nested(levels))
        frame = encode(message, encoding)
        if passes:
            assert decode(frame, encoding) == message
        else:
            assert refusal(frame, encoding).message == "more than 32 levels"


def test_S53_arrays_count_as_levels() -> None:
    decode(with_value("[" * 31 + "]" * 31), JSON)
    assert refusal(with_value("[" * 32 + "]" * 32)).operation_id == "op"


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_S53_any_depth_is_refused_cleanly(opening: str) -> None:
    for levels in (33, 900, 1_100, 100_000):
        refusal(opening * levels)
        refusal(with_value("[" * levels + "]" * levels))


def test_S53_any_depth_is_refused_cleanly_in_messagepack() -> None:
    for levels in (33, 500, 1_100, 100_000):
        refusal(b"\x81\xa1a" * levels + b"\x80", MSGPACK)
        refusal(b"\x81\xa1a" + b"\x91" * levels + b"\x90", MSGPACK)


def test_S51_S53_depth_hidden_behind_a_duplicate_key_is_refused_cleanly() -> None:
    for levels in (100, 980, 5_000):
        refusal('{"a":' + '{"b":' * levels + "1" + "}" * levels + ',"a":1}')
        refusal(b"\x82\xa1a" + b"\x91" * levels + b"\x01\xa1a\x01", MSGPACK)


def test_S53_no_memory_is_reserved_for_lengths_that_a_frame_only_claims() -> None:
    frame = (b"\xdc\x0f\xff" * 100).ljust(4_096, b"\x01")
    tracemalloc.start()
    try:
        refusal(frame, MSGPACK)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * len(frame)


def test_S53_a_hundred_thousand_keys_pass_the_codec() -> None:
    message = {f"k{n}": n for n in range(100_000)}
    assert decode(encode(message, JSON), JSON) == message


# -- what is still readable of a broken message ------------------------------------------------------------------------


def test_operation_id_and_ref_of_a_broken_message_are_found() -> None:
    for frame in (with_value("NaN"), with_value('{"a":1,"a":2}'), with_value("[" * 33 + "]" * 33)):
        error = refusal(frame)
        assert (error.operation_id, error.ref) == ("op", "r")
    packed = encode({"operation_id": "op", "ref": "r", "value": b"bin"}, MSGPACK)
    assert refusal(packed, MSGPACK).operation_id == "op"


@pytest.mark.parametrize("id_", ['"\\u0000"', '"\\ud800"', "7", "null", '""', '"' + "x" * 65 + '"', '["op"]'])
def test_an_operation_id_that_is_broken_itself_is_not_repeated(id_: str) -> None:
    assert refusal(f'{{"operation_id":{id_},"value":NaN}}').operation_id is None


def test_a_body_says_what_is_wrong_too() -> None:
    with pytest.raises(ProtocolError, match="a key stands twice in one object"):
        decode_body(b'{"operation_id":"op","a":1,"a":2}')


# -- fuzz --------------------------------------------------------------------------------------------------------------

hostile_json = st.lists(
    st.sampled_from(
        [
            *'{}[],:"\\ \n0-.eE+',
            "NaN",
            "1e999",
            "\\u0000",
            "\\ud800",
            "null",
            '"a":',
            '"__proto__":',
            "\ufeff",
            "é",
            "\0",
        ]
    ),
    max_size=30,
).map("".join)
hostile_bytes = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [b"\x81", b"\xa1a", b"\xc4\x01x", b"\xd6\xff", b"\xc7\x0c\xff", b"\xca\x7f\xc0", b"\x92", b"\x01", b"\xdd"]
    )
    | st.binary(max_size=4),
    max_size=20,
).map(b"".join)


def outcome(frame: bytes | str, encoding: Encoding) -> dict[str, Any] | None:
    try:
        return decode(frame, encoding)
    except ProtocolError:
        return None


@given(hostile_json | hostile_bytes)
@settings(max_examples=500, deadline=None)
@example("[" * 10_000)
def test_S60_hostile_JSON_gives_a_message_or_a_ProtocolError(frame: bytes | str) -> None:
    message = outcome(frame, JSON)
    assert message is None or decode(encode(message, JSON), JSON) == message


@given(hostile_bytes)
@settings(max_examples=500, deadline=None)
@example(b"\x81\xa1a\xc7\x0c\xff" + b"\xff" * 12)
def test_S60_hostile_messagepack_gives_a_message_or_a_ProtocolError(frame: bytes) -> None:
    message = outcome(frame, MSGPACK)
    assert message is None or decode(encode(message, MSGPACK), MSGPACK) == message


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_NUMBER, MAX_NUMBER)
    | st.floats(-1e9, 1e9)
    | st.text('ab:\\"é\u0001😀'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab:é"), inner, max_size=4),
)


@given(st.dictionaries(st.text("ab:é"), plain, max_size=5))
@settings(max_examples=200, deadline=None)
def test_OP16_both_encodings_give_equal_values(message: dict[str, Any]) -> None:
    from_json, from_msgpack = (decode(encode(message, encoding), encoding) for encoding in Encoding)
    assert encode(from_json, JSON) == encode(from_msgpack, JSON)
    assert from_json == message
