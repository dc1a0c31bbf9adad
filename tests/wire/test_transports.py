"""The same wire on both event loops, and by plain ASGI as under servers that know nothing of ready frames."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.support.client import Classic, CodrawV1, Editor, Packed, Tmi, add, cell_id, update
from tests.support.raw import Raw, memory
from tests.support.servers import Meeting, Server, meet, sign_in
from tests.support.turns import until, until_read
from tests.support.wire import word
from tests.wire import test_classic, test_codraw_v1, test_tmi

MIB = 1024 * 1024
ON_ASYNCIO = "import sys; sys.modules['uvloop'] = None\n"
PLAIN = """
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from codraw import serve
serve.SocketProtocol = WebSocketsSansIOProtocol
"""


class OnUvloop(Server):
    pass


class OnAsyncio(Server):
    before = ON_ASYNCIO


class Plain(Server):
    before = PLAIN


class PlainOnAsyncio(Server):
    before = ON_ASYNCIO + PLAIN


KINDS = (OnUvloop, OnAsyncio, Plain, PlainOnAsyncio)


@pytest.fixture(scope="module", params=KINDS[1:3], ids=lambda kind: kind.__name__)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For the transcripts of the other files, which run on uvloop there."""
    with request.param(tmp_path_factory.mktemp("server")) as server:
        yield server
        assert "Traceback" not in server.log


@pytest.fixture(params=[CodrawV1, Packed], ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[CodrawV1]:
    return request.param  # type: ignore[no-any-return]


TRANSCRIPTS: tuple[Callable[..., Any], ...] = (
    test_classic.test_a_newcomer_sees_the_diagram_and_then_who_presents,
    test_classic.test_I6_what_is_sent_just_before_a_clean_close_is_not_lost,
    test_classic.test_SES18_whoever_is_ejected_is_told_and_may_not_return,
    test_classic.test_three_dialects_end_with_the_same_cells,
    test_tmi.test_OP19_the_event_is_the_sender_s_receipt,
    test_tmi.test_UN12_the_requester_of_an_undo_gets_the_state_and_others_the_event,
    test_tmi.test_SES15_the_end_of_the_session_is_an_error_frame_and_1000,
    test_codraw_v1.test_WS14_the_welcome_comes_first_and_then_the_state,
    test_codraw_v1.test_OP19_the_sender_gets_its_receipt_and_others_the_event,
    test_codraw_v1.test_WS17_resume_gives_exactly_what_was_missed,
    test_codraw_v1.test_WS19_receipts_come_in_the_order_of_requests,
    test_codraw_v1.test_PR9_the_last_of_many_cursors_arrives,
    test_codraw_v1.test_S36_a_logout_closes_the_login_s_sockets,
    test_codraw_v1.test_WS3_every_frame_is_one_object,
)
globals().update({test.__name__: test for test in TRANSCRIPTS})


# under load, with one who does not read -------------------------------------------------------------------------------


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
async def busy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Meeting]:
    with request.param(tmp_path_factory.mktemp("busy"), operations_per_second="0", ping_seconds="1000") as server:
        meeting = await meet(await sign_in(server, "ana"))
        yield meeting
        await meeting.over()
        assert "Traceback" not in server.log


async def drawn(editor: Editor, times: int, text: int) -> None:
    id = cell_id()
    asked = [await editor.edit(add(id))]
    for n in range(times):
        asked.append(await editor.edit(update(id, x=n, data={"text": str(n % 10) * text})))
        if n % 8 == 7:
            await until_answered(editor, asked)
    await until_answered(editor, asked)


async def until_answered(editor: Editor, asked: list[str]) -> None:
    if editor.dialect == "classic":
        return
    while not editor.outcomes.keys() >= set(asked):
        await editor.hear()


async def test_WS15_I30_editors_of_all_dialects_stay_in_step_beside_one_who_does_not_read(busy: Meeting) -> None:
    people = [await sign_in(busy.server, name) for name in ("bo", "cy", "dee", "eve")]
    kinds: tuple[type[Editor], ...] = (CodrawV1, Packed, Tmi, Classic)
    editors = [await kind(busy, person).join() for kind, person in zip(kinds, people, strict=True)]
    await Raw.join(busy, busy.host)
    await asyncio.gather(*(drawn(editor, 40, 4_000) for editor in editors))
    vector, cells = 4 * 41, list[Any]()

    async def all_in() -> bool:
        nonlocal cells
        at, cells = await busy.cells()
        return at == vector

    # A classic editor is not told when its operations are in.
    await until_read(all_in)
    for editor in editors[:3]:
        while editor.vector < vector:
            await editor.hear()
        assert editor.copy() == cells, editor.dialect
    told = [message["operation_id"] for message in editors[3].trace if word(message) == "diagram_operation"]
    while len(told) < 3 * 41:
        told.append((await editors[3].hear("diagram_operation"))["operation_id"])
    assert len(set(told)) == 3 * 41
    assert all(editor.faults == [] for editor in editors)


@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process is read from /proc")
@pytest.mark.parametrize("busy", [OnUvloop], indirect=True, ids=["OnUvloop"])
async def test_I28_those_who_do_not_read_a_large_state_wait_for_the_same_bytes(busy: Meeting) -> None:
    """With asyncio of Python 3.11 each waits for a copy."""
    editor = await CodrawV1(busy, busy.host).join()
    for _ in range(60):
        await editor.edit(*(add(cell_id(), data={"text": "x" * 60_000}) for _ in range(4)))
        await editor.hear("operation_accepted")
    person = await sign_in(busy.server, "bo")
    deaf = [await Raw.join(busy, person)]
    await until(deaf[0].is_sent_to)
    before = memory(busy.server.pid)
    for name in ("cy", "dee", "eve"):
        person = await sign_in(busy.server, name)
        deaf += [await Raw.join(busy, person) for _ in range(4)]
    await until(lambda: all(raw.is_sent_to() for raw in deaf))
    state = 60 * 4 * 60_000
    assert memory(busy.server.pid) - before < 2 * state
