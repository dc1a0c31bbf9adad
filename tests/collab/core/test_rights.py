"""Which role an intent takes."""

from __future__ import annotations

from typing import get_args

import pytest

from collab.core.rights import NEEDS, allowed
from protocol.intents import (
    AskPresenter,
    AskState,
    Aware,
    Edit,
    Eject,
    Heartbeat,
    Intent,
    Misedit,
    Redo,
    Replace,
    Resume,
    Undo,
    UserName,
)
from protocol.refusals import Reason, Refusal
from protocol.values import Epoch, OperationId, Role, RoleAt

WRITES: list[Intent] = [
    Edit(OperationId("a"), (), b""),
    Replace(OperationId("a"), (), (), b""),
    Misedit("a", Refusal(Reason.EMPTY_OPERATION, "")),
    Undo(),
    Redo(),
]
READS: list[Intent] = [AskPresenter(), Eject(UserName()), Aware(), AskState(), Resume(Epoch("e"), 0), Heartbeat()]


def test_every_intent_says_what_it_takes() -> None:
    assert set(NEEDS) == set(get_args(Intent))


@pytest.mark.parametrize("intent", WRITES)
@pytest.mark.parametrize("role", Role)
def test_S40_changing_the_diagram_takes_a_writer(intent: Intent, role: Role) -> None:
    assert allowed(intent, RoleAt(role, 1)) is (role >= Role.WRITER)


@pytest.mark.parametrize("intent", READS)
@pytest.mark.parametrize("role", Role)
def test_S40_taking_part_takes_a_reader(intent: Intent, role: Role) -> None:
    assert allowed(intent, RoleAt(role, 1)) is (role >= Role.READER)


@pytest.mark.parametrize("intent", WRITES)
def test_SES18_who_was_ejected_writes_nothing_whatever_the_role(intent: Intent) -> None:
    assert not allowed(intent, RoleAt(Role.OWNER, 1, denied=True))


@pytest.mark.parametrize("intent", READS)
def test_SES18_reading_stays(intent: Intent) -> None:
    assert allowed(intent, RoleAt(Role.READER, 1, denied=True))
