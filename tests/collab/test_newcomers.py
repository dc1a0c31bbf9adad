"""When a newcomer hears that it is in."""

from __future__ import annotations

import asyncio

import pytest

from collab import newcomers
from collab.fanout import Connected, Fanout
from collab.newcomers import Newcomers
from collab.outbox import Outbox
from protocol.codec import Encoding
from protocol.dialects import CODRAW_V1
from protocol.notices import StateReason, StateShown
from protocol.values import SocketId
from tests.collab.test_outbox import Wire
from tests.support.script import FOUNDED, user
from tests.support.turns import turns, until

ANA, BO = SocketId("ana"), SocketId("bo")
NEWS, OTHER = b"ana is here", b"cy is there"


class Hall:
    """Whoever comes is shown the diagram."""

    def __init__(self) -> None:
        self.fanout = Fanout(lambda _: None)
        self.newcomers = Newcomers(self.fanout)

    def comes(self, socket: SocketId) -> Wire:
        wire = Wire()
        self.fanout.attach(Connected(socket, user("ana").id, CODRAW_V1, Encoding.JSON, Outbox(wire)))
        self.fanout.admit(socket, (StateShown(FOUNDED, StateReason.JOINED),))
        self.newcomers.hold(socket)
        return wire


async def test_WS11_a_newcomer_hears_that_it_is_in_when_the_news_of_it_has_come_back() -> None:
    hall = Hall()
    ana = hall.comes(ANA)
    hall.newcomers.said(NEWS)
    hall.newcomers.heard(OTHER)
    await turns()
    assert ana.written == []
    hall.newcomers.heard(NEWS)
    assert len(ana.written) == 1


async def test_WS11_each_newcomer_waits_for_the_news_that_tells_of_it() -> None:
    hall = Hall()
    ana = hall.comes(ANA)
    hall.newcomers.said(NEWS)
    bo = hall.comes(BO)
    hall.newcomers.said(OTHER)
    hall.newcomers.heard(NEWS)
    await turns()
    assert (len(ana.written), len(bo.written)) == (1, 0)


async def test_I29_news_that_never_comes_back_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newcomers, "PATIENCE_S", 0.0)
    hall = Hall()
    ana = hall.comes(ANA)
    hall.newcomers.said(NEWS)
    await until(lambda: len(ana.written) == 1)


async def test_who_has_gone_meanwhile_is_told_nothing() -> None:
    hall = Hall()
    ana = hall.comes(ANA)
    hall.newcomers.said(NEWS)
    hall.fanout.detach(ANA)
    hall.newcomers.heard(NEWS)
    await asyncio.sleep(0)
    assert ana.written == []
