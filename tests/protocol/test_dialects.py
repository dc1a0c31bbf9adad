from __future__ import annotations

import pytest

from protocol.codec import Encoding
from protocol.dialects import CLASSIC, CODRAW_V1, DIALECTS, TMI, Dialect, InvalidDialect, choose
from protocol.intents import Heartbeat
from protocol.notices import Done, Side, VectorShown
from protocol.refusals import Ending, ProtocolError, Trouble
from protocol.values import Limits
from tests.protocol.dialects.samples import ended, wire

JSON, MSGPACK = "codraw.v1.json", "codraw.v1.msgpack"


@pytest.mark.parametrize(
    ("query", "bearer", "dialect"),
    [
        ({"token": "t"}, False, CLASSIC),
        ({}, True, CLASSIC),
        ({"ticket": "t", "session_id": "s"}, True, CLASSIC),
        ({"ticket": "t"}, False, TMI),
        ({"ticket": "t", "token": "t"}, False, TMI),
        ({"token": "t", "session_id": "s"}, False, TMI),
        ({"token": "t", "resume": "e:1"}, False, CLASSIC),
        ({"dialect": "tmi"}, True, TMI),
        ({"dialect": "classic", "ticket": "t"}, False, CLASSIC),
        ({"dialect": "codraw.v1", "ticket": "t"}, False, CODRAW_V1),
        ({}, False, CLASSIC),
        ({"session_id": "s"}, False, CLASSIC),
    ],
)
def test_what_the_query_and_the_credential_choose(query: dict[str, str], bearer: bool, dialect: Dialect) -> None:
    choice = choose(query=query, subprotocols=[], bearer=bearer)
    assert (choice.dialect, choice.encoding, choice.subprotocol) == (dialect, Encoding.JSON, None)


@pytest.mark.parametrize(
    ("query", "bearer", "dialect"),
    [
        ({"token": "t"}, False, TMI),
        ({"token": "t"}, True, CLASSIC),
        ({"dialect": "classic", "token": "t"}, False, CLASSIC),
        ({}, False, CLASSIC),
    ],
)
def test_in_the_profile_tmi_a_token_alone_is_TMIs_older_app(
    query: dict[str, str], bearer: bool, dialect: Dialect
) -> None:
    assert choose(query=query, subprotocols=[], bearer=bearer, token_alone=TMI).dialect is dialect


@pytest.mark.parametrize(
    ("offered", "encoding", "echoed"),
    [
        ([JSON], Encoding.JSON, JSON),
        ([MSGPACK], Encoding.MSGPACK, MSGPACK),
        (["chat", MSGPACK, JSON], Encoding.MSGPACK, MSGPACK),
    ],
)
@pytest.mark.parametrize("query", [{"ticket": "t"}, {"dialect": "codraw.v1"}])
def test_a_known_subprotocol_chooses_v1_and_is_echoed(
    offered: list[str], encoding: Encoding, echoed: str, query: dict[str, str]
) -> None:
    choice = choose(query=query, subprotocols=offered, bearer=True)
    assert (choice.dialect, choice.encoding, choice.subprotocol) == (CODRAW_V1, encoding, echoed)


def test_an_unknown_subprotocol_chooses_nothing() -> None:
    choice = choose(query={"ticket": "t"}, subprotocols=["chat"], bearer=False)
    assert (choice.dialect, choice.subprotocol) == (TMI, None)


@pytest.mark.parametrize("named", ["", "Classic", "codraw", "codraw.v2", "codraw.v1.json"])
def test_an_unknown_dialect_is_invalid(named: str) -> None:
    with pytest.raises(InvalidDialect):
        choose(query={"dialect": named, "token": "t"}, subprotocols=[JSON], bearer=False)


@pytest.mark.parametrize("named", ["classic", "tmi"])
def test_a_subprotocol_of_another_dialect_is_invalid(named: str) -> None:
    with pytest.raises(InvalidDialect, match=r"codraw\.v1\.json"):
        choose(query={"dialect": named}, subprotocols=[JSON], bearer=False)


def test_a_dialect_reads_in_its_own_table() -> None:
    message = {"message_type": "heartbeat", "ref": "h1"}
    assert CODRAW_V1.read(message, limits=Limits()) == Heartbeat("h1")
    for dialect in (CLASSIC, TMI):
        with pytest.raises(ProtocolError):
            dialect.read(message, limits=Limits())


def test_a_dialect_salvages_by_its_own_rule_of_ids() -> None:
    broken = ProtocolError(Trouble.MALFORMED, "?", "op-1")
    assert CLASSIC.misread(broken)
    assert not TMI.misread(broken)


def test_a_dialect_speaks_its_own_language() -> None:
    spoken = {name: wire(dialect.render(VectorShown(1), Side.SENDER)) for name, dialect in DIALECTS.items()}
    assert [len(messages) for messages in spoken.values()] == [1, 1, 0]
    assert wire(CODRAW_V1.render(Done("r"), Side.SENDER)) == [{"message_type": "done", "ref": "r"}]
    last = {name: wire(dialect.farewell(ended(Ending.HOST_LEFT)).messages) for name, dialect in DIALECTS.items()}
    assert [frame.get("message_type", "event") for [frame] in last.values()] == ["event", "error", "goodbye"]


def test_WS16_only_classic_hides_the_code() -> None:
    codes = {name: dialect.farewell(ended(Ending.TOKEN_EXPIRED)).code for name, dialect in DIALECTS.items()}
    assert codes == {"classic": 1000, "tmi": 4401, "codraw.v1": 4401}


def test_dialects_are_keys() -> None:
    assert len({CLASSIC: 1, TMI: 2, CODRAW_V1: 3}) == 3
