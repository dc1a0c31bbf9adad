"""One connection after another, to a far end that behaves as badly as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from codraw.client import RestError
from codraw.client.returning import Backoff, Loss
from codraw.client.wire import Wants, Wire
from codraw.local_stores import free_port
from collab.tasks import Tasks
from protocol.codec import Encoding
from protocol.dialects.codraw_v1_messages import Goodbye
from tests.support.scripted import Line, ScriptedPeer
from tests.support.turns import turns, until


class AtOnce(Backoff):
    """Returns at once, and remembers what for."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[Loss] = []

    def delay_s(self, loss: Loss, lived_s: float) -> float:
        self.losses.append(loss)
        return 0.01


class Ear:
    """The listener of a wire, all ears."""

    def __init__(self, url: str, backoff: Backoff | None = None) -> None:
        self.url = url
        self.wanted: list[Wants] = []
        self.frames: list[str | bytes] = []
        self.states: list[str] = []
        self.losses = 0
        self.error: RestError | None = None
        self.tasks = Tasks()
        self.backoff = AtOnce()
        self.delays: list[float] = []
        self.wire = Wire(self, Encoding.JSON, backoff or self.backoff, self.tasks)

    async def address(self, wants: Wants) -> str:
        self.wanted.append(wants)
        if self.error is not None:
            raise self.error
        return self.url

    def heard(self, frame: str | bytes) -> None:
        self.frames.append(frame)

    def lost(self) -> None:
        self.losses += 1

    def changed(self) -> None:
        self.states.append(self.wire.state)
        if self.wire.retry_in_s is not None:
            self.delays.append(self.wire.retry_in_s)


async def met(peer: ScriptedPeer, ear: Ear) -> Line:
    """The next connection, which both ends know of."""
    line, heard = await peer.line(), len(ear.frames)
    await line.say("hello")
    await until(lambda: len(ear.frames) > heard)
    return line


@pytest.fixture
async def ear(peer: ScriptedPeer) -> AsyncIterator[Ear]:
    ear = Ear(peer.url)
    ear.wire.open()
    yield ear
    await ear.wire.close()
    await ear.tasks.close()
    assert len(ear.tasks) == 0 and ear.tasks.crashes == 0


async def test_frames_go_both_ways_and_ready_is_said_by_the_listener(peer: ScriptedPeer, ear: Ear) -> None:
    line = await peer.line()
    await line.say("hello")
    await until(lambda: ear.frames == ['{"message_type": "hello"}'])
    assert ear.states == ["connecting"]
    ear.wire.ready()
    assert ear.wire.send(b'{"message_type":"heartbeat"}')
    assert await line.hear("heartbeat")
    assert ear.states == ["connecting", "live"]


@pytest.mark.parametrize("code", [1000, 4403, 4404])
async def test_S80_after_a_clear_no_it_does_not_return(peer: ScriptedPeer, ear: Ear, code: int) -> None:
    await (await peer.line()).close(code, "why")
    await until(lambda: ear.wire.state == "refused")
    assert ear.wire.why is not None and (ear.wire.why.code, ear.losses) == (code, 1)
    assert ear.wanted == ["connect"] and not ear.wire.send(b"x")


async def test_S80_whose_tickets_are_for_sessions_that_are_over_again_and_again_does_not_return(
    peer: ScriptedPeer, ear: Ear
) -> None:
    for _ in range(4):
        line = await peer.line()
        ear.wire.goodbye(Goodbye(4404, "session_not_found", "no such session lives", "no"))
        await line.close(4404)
    await until(lambda: ear.wire.state == "refused")
    assert ear.wanted == ["connect"] * 4


@pytest.mark.parametrize("code", [1001, 1009, 1012, 1013, 4408, 4429])
async def test_after_anything_else_it_returns(peer: ScriptedPeer, ear: Ear, code: int) -> None:
    await (await peer.line()).close(code)
    await peer.line()
    assert [loss.code for loss in ear.backoff.losses] == [code]
    assert ear.states == ["connecting", "offline", "connecting"]


async def test_after_an_expired_login_a_fresh_ticket_is_asked_for_until_it_is_live(
    peer: ScriptedPeer, ear: Ear
) -> None:
    await (await peer.line()).close(4401)
    await (await peer.line()).close(1012)
    await met(peer, ear)
    ear.wire.ready()
    ear.wire.cut()
    await peer.line()
    assert ear.wanted == ["connect", "reauthenticate", "reauthenticate", "connect"]


async def test_a_goodbye_counts_more_than_the_code(peer: ScriptedPeer, ear: Ear) -> None:
    line = await peer.line()
    ear.wire.goodbye(Goodbye(1012, "restart", "back soon", "yes", 70))
    await line.close(1000)
    await peer.line()
    assert ear.backoff.losses == [Loss("restart", "back soon", 1012, "yes", 70)]


async def test_a_goodbye_counts_for_one_connection(peer: ScriptedPeer, ear: Ear) -> None:
    line = await peer.line()
    ear.wire.goodbye(Goodbye(1012, "restart", "back soon", "yes"))
    await line.close(1012)
    await (await peer.line()).close(4404)
    await until(lambda: ear.wire.state == "refused")


async def test_a_silent_peer_is_taken_for_gone(peer: ScriptedPeer, ear: Ear) -> None:
    await met(peer, ear)
    ear.wire.patience_s = 0.05
    ear.wire.cut()
    await peer.line()
    await peer.line()
    assert [loss.reason for loss in ear.backoff.losses] == ["cut", "silent"]


async def test_whoever_speaks_is_not_silent(peer: ScriptedPeer, ear: Ear) -> None:
    await met(peer, ear)
    ear.wire.cut()
    ear.wire.patience_s = 1
    line = await met(peer, ear)
    until_then = asyncio.get_running_loop().time() + 1.1
    ear.wire.patience_s = 1_000  # from the next frame on
    await line.say("hello")
    await until(lambda: asyncio.get_running_loop().time() > until_then)
    assert ear.losses == 1


async def test_a_cut_is_no_leave(peer: ScriptedPeer, ear: Ear) -> None:
    line = await met(peer, ear)
    ear.wire.cut("why", "because")
    assert (await line.rest())[1] is None
    await peer.line()
    assert ear.backoff.losses == [Loss("why", "because")]


async def test_closing_sends_all_there_is_and_then_1000(peer: ScriptedPeer, ear: Ear) -> None:
    line = await peer.line()
    await until(lambda: ear.wire.send(b'{"message_type":"first"}'))
    for _ in range(500):
        ear.wire.send(b'{"message_type":"m"}')
    # who reads nothing reads no close frame either, and would be waited for
    _, (heard, code) = await asyncio.gather(ear.wire.close(), line.rest())
    assert (len(heard), code, ear.states[-1]) == (501, 1000, "closed")


async def test_closing_while_away_is_at_once(peer: ScriptedPeer, ear: Ear) -> None:
    line = await peer.line()
    ear.backoff.delay_s = lambda loss, lived_s: 1_000.0  # type: ignore[method-assign]
    await line.close(1012)
    await until(lambda: ear.wire.state == "offline")
    assert ear.wire.retry_in_s == 1_000
    await ear.wire.close()
    assert ear.wire.state == "closed"


async def test_open_ends_the_waiting(peer: ScriptedPeer, ear: Ear) -> None:
    ear.backoff.delay_s = lambda loss, lived_s: 1_000.0  # type: ignore[method-assign]
    await (await peer.line()).close(1012)
    await until(lambda: ear.wire.state == "offline")
    ear.wire.open()
    await peer.line()


async def test_open_after_the_end_begins_anew(peer: ScriptedPeer, ear: Ear) -> None:
    await (await peer.line()).close(4404)
    await until(lambda: ear.wire.state == "refused")
    ear.wire.open()
    await peer.line()


async def test_a_refused_upgrade_is_a_clear_no_or_bad_weather(peer: ScriptedPeer) -> None:
    ear = Ear(peer.url)
    peer.statuses = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN]
    ear.wire.open()
    await until(lambda: ear.wire.state == "refused")
    assert ear.wanted == ["connect", "connect", "reauthenticate"]
    assert ear.losses == 0
    await ear.wire.close()


@pytest.mark.parametrize("said", ["<html>404 Not Found</html>", "", "[]", '{"message": "no route"}'])
async def test_S80_an_upgrade_that_somebody_before_the_server_refuses_is_bad_weather(
    peer: ScriptedPeer, said: str
) -> None:
    ear = Ear(peer.url)
    peer.refuses_with = said
    peer.statuses = [HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST]
    ear.wire.open()
    await met(peer, ear)
    assert [loss.reason for loss in ear.backoff.losses] == ["unavailable"] * 3
    await ear.wire.close()


async def test_without_a_ticket_there_is_no_dialling(peer: ScriptedPeer) -> None:
    ear = Ear(peer.url)
    ear.error = RestError(404, {"error": "not_found", "message": "No session lives here."})
    ear.wire.open()
    await until(lambda: ear.wire.state == "refused")
    assert ear.wire.why is not None and ear.wire.why.reason == "not_found"


async def test_where_nobody_listens_it_tries_on() -> None:
    ear = Ear(f"ws://127.0.0.1:{free_port()}/")
    ear.wire.open()
    await until(lambda: len(ear.backoff.losses) > 3)
    assert {loss.reason for loss in ear.backoff.losses} == {"unreachable"}
    await ear.wire.close()


async def test_what_is_no_address_is_not_tried_again() -> None:
    ear = Ear("http://127.0.0.1/")
    ear.wire.open()
    await until(lambda: ear.wire.state == "refused")
    assert ear.wire.why is not None and ear.wire.why.reason == "invalid_address"


async def test_S80_the_waits_double_until_it_was_live_for_long(peer: ScriptedPeer) -> None:
    """Whatever has lived at all has lived for long here; what never was live has not, however long it took."""
    ear = Ear(peer.url, Backoff(first_s=0.001, steady_s=0.0, chance=lambda: 1.0))
    ear.wire.open()
    for _ in range(3):
        await (await peer.line()).close(1001)
    line = await met(peer, ear)
    assert ear.delays == [0.001, 0.002, 0.004]
    ear.wire.ready()
    await line.close(1001)
    await (await peer.line()).close(1001)
    await peer.line()
    assert ear.delays[3:] == [0.001, 0.002]
    await ear.wire.close()


async def test_whoever_finds_the_address_may_be_patient(peer: ScriptedPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codraw.client.wire.DIAL_S", 0.0)
    asked, answer = asyncio.Event(), asyncio.Event()

    class Patient(Ear):
        async def address(self, wants: Wants) -> str:
            asked.set()
            await answer.wait()
            monkeypatch.undo()
            return self.url

    ear = Patient(peer.url)
    ear.wire.open()
    await asked.wait()
    await turns()
    answer.set()
    await met(peer, ear)
    assert ear.states == ["connecting"]
    await ear.wire.close()


async def test_a_busy_server_is_given_the_time_that_it_asks_for(peer: ScriptedPeer) -> None:
    ear = Ear(peer.url, Backoff(chance=lambda: 0.0))
    ear.error = RestError(503, {}, retry_after_s=20)
    ear.wire.open()
    await until(lambda: ear.wire.state == "offline")
    assert ear.delays == [20]
    await ear.wire.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1/?ticket=SECRET", "ws:///?ticket=SECRET"])
async def test_AU9_the_ticket_is_not_in_what_is_told_of_a_bad_address(url: str) -> None:
    ear = Ear(url)
    ear.wire.open()
    await until(lambda: ear.wire.state == "refused")
    assert ear.wire.why is not None and "SECRET" not in repr(ear.wire.why)
