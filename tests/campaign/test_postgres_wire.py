"""A commit is known when it passes, prepared or in a transaction, and cut where it is asked to be."""

from __future__ import annotations

import struct

import pytest

from tests.campaign.postgres_wire import Asked, PostgresWire
from tests.campaign.proxy import Cut

COMMIT = "UPDATE diagram_head SET vector = vector + $1"
ID = b"4f0c2f9e-6d0f-4a39-8a55-0f6d2b1c9e77"
STARTUP = struct.pack("!II", 8, 196_608)
SSL = struct.pack("!II", 8, 80_877_103)
READY = b"Z\x00\x00\x00\x05I"


def said(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def parse(sql: str, name: bytes = b"s1") -> bytes:
    return said(b"P", name + b"\0" + sql.encode() + b"\0" + b"\0\0")


def execute(parameters: bytes = ID, name: bytes = b"s1") -> bytes:
    return said(b"B", b"\0" + name + b"\0" + parameters) + said(b"E", b"\0\0\0\0\0") + said(b"S", b"")


def query(sql: str) -> bytes:
    return said(b"Q", sql.encode() + b"\0")


def through(wire: PostgresWire, *data: bytes) -> bytes:
    questions, _ = wire.filters()
    return b"".join(piece for part in (SSL, STARTUP, *data) for piece in questions.feed(part))


def test_everything_passes_as_it_came_in_whatever_pieces() -> None:
    whole = SSL + STARTUP + parse(COMMIT) + execute()
    questions, _ = PostgresWire().filters()
    assert b"".join(piece for byte in whole for piece in questions.feed(bytes((byte,)))) == whole


def test_a_prepared_commit_is_seen() -> None:
    wire = PostgresWire()
    through(wire, parse(COMMIT), execute(), execute(b"another"))
    assert wire.counts["commit"] == 2


def test_the_end_of_a_transaction_that_claims_a_head_is_the_commit() -> None:
    wire = PostgresWire()
    through(wire, query("BEGIN;"), parse(COMMIT), execute(), query("COMMIT;"))
    assert (wire.counts["claim"], wire.counts["commit"]) == (1, 1)


def test_a_transaction_that_is_rolled_back_is_no_commit() -> None:
    wire = PostgresWire()
    through(wire, query("BEGIN;"), parse(COMMIT), execute(), query("ROLLBACK;"))
    assert wire.counts["commit"] == 0


@pytest.mark.parametrize(("where", "arrives"), [("before", False), ("after", True)])
def test_a_commit_is_cut_before_it_arrives_or_after(where: str, arrives: bool) -> None:
    wire = PostgresWire()
    wire.watch = lambda moment, asked: where if asked.kind == "commit" else None
    questions, _ = wire.filters()
    list(questions.feed(STARTUP + parse(COMMIT)))
    with pytest.raises(Cut) as cut:
        list(questions.feed(execute()))
    assert (said(b"S", b"") in cut.value.forward) == arrives


def test_the_answer_is_told_before_it_goes_on() -> None:
    wire = PostgresWire()
    told: list[tuple[str, str]] = []

    def watch(moment: str, asked: Asked) -> None:
        told.append((moment, asked.kind))

    wire.watch = watch
    questions, answers = wire.filters()
    list(questions.feed(STARTUP + parse(COMMIT) + execute()))
    list(answers.feed(b"N"))
    list(answers.feed(READY))
    assert told == [("sent", "commit"), ("answered", "commit")]


def test_a_commit_without_an_answer_that_comes_again_is_counted() -> None:
    wire = PostgresWire()
    through(wire, parse(COMMIT), execute())
    through(wire, parse(COMMIT), execute())
    assert wire.again == 1


def test_a_commit_that_was_answered_does_not_come_again() -> None:
    wire = PostgresWire()
    for _ in range(2):
        questions, answers = wire.filters()
        list(questions.feed(STARTUP + parse(COMMIT) + execute()))
        list(answers.feed(READY))
    assert wire.again == 0
