"""What is said over the bus: it arrives whole, and nobody else can say it."""

from __future__ import annotations

import msgspec
import pytest

from collab.core.effects import Publish
from collab.core.events import (
    Claim,
    Claimed,
    Declined,
    Heard,
    Pointed,
    RightsMoved,
    RollCalled,
    Said,
    SessionMoved,
    Spoken,
    Wanted,
)
from collab.news import EVERYWHERE, Seal, Standing
from protocol.notices import AwareUpdate
from protocol.values import DiagramId, SocketId
from tests.support.script import DIAGRAM, EPOCH, FOUNDED, SESSION, add, change, logged, participant, remove, user

SECRET = b"k" * 32
MINE, THEIRS = Seal(SECRET, "w1"), Seal(SECRET, "w2")
ROWS = [
    logged(FOUNDED, "ana", "a1", add("n9", label="\u00e9\U0001f600", x=0.5, data={"deep": [1, None, {"a": 1e-7}]})),
    logged(FOUNDED, "ana", "a2", change("n1", x=7, label=None)),
    logged(FOUNDED, "ana", "a3", remove("n1")),
]
SPOKEN: list[Spoken] = [
    Said(SESSION.id, 3, (participant("ana", "a1"), participant("bo"))),
    Pointed(
        SESSION.id, 2, (AwareUpdate(SocketId("a1"), user("ana"), True, cursor={"x": 1, "y": 0.5}, selection=None),)
    ),
    Wanted(SESSION.id, user("bo")),
    Declined(SESSION.id, user("bo"), by_host=False),
    RollCalled(SESSION.id),
    SessionMoved(SESSION.id, 4),
    RightsMoved(),
    Claimed(7, Claim.LISTENING),
]


@pytest.mark.parametrize("operation", ROWS, ids=lambda row: row.operation_id)
def test_operations_arrive_as_they_were_written(operation: object) -> None:
    assert isinstance(operation, type(ROWS[0]))
    sent = Publish(EPOCH, (operation,), (user("bo").id,))
    assert THEIRS.opened(DIAGRAM, MINE.sealed(DIAGRAM, sent)) == Heard(EPOCH, (operation,), used_up=(user("bo").id,))


@pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: type(spoken).__name__)
def test_what_rooms_tell_each_other_arrives_as_it_was_said(spoken: Spoken) -> None:
    heard = THEIRS.opened(DIAGRAM, MINE.sealed(DIAGRAM, spoken))
    if isinstance(heard, Said | Pointed):
        assert heard.serial > 0
        heard = msgspec.structs.replace(heard, serial=0)
    if isinstance(heard, Said):
        assert heard.worker == "w1"
        heard = msgspec.structs.replace(heard, worker="")
    assert heard == spoken


def test_what_a_worker_says_is_numbered() -> None:
    heard = [THEIRS.opened(DIAGRAM, MINE.sealed(DIAGRAM, SPOKEN[0])) for _ in range(2)]
    first, second = (one.serial for one in heard if isinstance(one, Said))
    assert first < second


def test_what_stands_is_told_of_many_rooms_by_the_number_of_what_was_said() -> None:
    seal = Seal(SECRET, "w1")
    said = THEIRS.opened(DIAGRAM, seal.sealed(DIAGRAM, SPOKEN[0]))
    assert isinstance(said, Said) and said.serial == seal.serial
    heard = THEIRS.opened(EVERYWHERE, seal.sealed(EVERYWHERE, Standing(((DIAGRAM, SESSION.id, said.serial),))))
    assert heard == Standing(((DIAGRAM, SESSION.id, said.serial),), "w1")


def test_one_s_own_echo_is_dropped_before_anything_is_looked_at() -> None:
    seal = Seal(SECRET, "w1")
    assert seal.opened(DIAGRAM, MINE.sealed(DIAGRAM, RightsMoved())) is None
    assert seal.opened(DIAGRAM, b"\x02w1 and something that nobody can read") is None
    assert seal.refused == 0


def test_a_name_that_begins_like_one_s_own_is_another_one() -> None:
    assert Seal(SECRET, "w1").opened(DIAGRAM, Seal(SECRET, "w11").sealed(DIAGRAM, RightsMoved())) == RightsMoved()


def test_F19_I27_forged_news_is_dropped_and_counted() -> None:
    good = MINE.sealed(DIAGRAM, Publish(EPOCH, (ROWS[0],)))
    flipped = [good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :] for at in range(len(good))]
    forged = [b"", b"\x00", b"\xff" * 40, good[:-1], good + b"\x00", *flipped]
    forged.append(Seal(b"x" * 32, "w3").sealed(DIAGRAM, RightsMoved()))
    seal = Seal(SECRET, "w2")
    heard = [seal.opened(DIAGRAM, one) for one in forged]
    assert heard == [None] * len(forged)
    assert seal.refused == len(forged)


def test_I27_news_of_another_diagram_is_none() -> None:
    seal = Seal(SECRET, "w2")
    assert seal.opened(DiagramId("d2"), MINE.sealed(DIAGRAM, RightsMoved())) is None
    assert seal.refused == 1


def test_what_a_newer_version_says_is_dropped_and_counted() -> None:
    class Newer(msgspec.Struct, tag="newer"):
        pass

    seal = Seal(SECRET, "w2")
    assert seal.opened(DIAGRAM, MINE.sealed(DIAGRAM, Newer())) is None  # type: ignore[arg-type]
    assert seal.refused == 1
