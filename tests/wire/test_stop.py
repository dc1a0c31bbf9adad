"""Stopping and starting the server as an operator does it."""

from __future__ import annotations

from pathlib import Path

from tests.support.client import Classic, CodrawV1, Tmi, add, cell_id
from tests.support.servers import Server, meet, sign_in


async def test_SES12_after_a_restart_session_diagram_and_copies_are_still_there(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        meeting = await meet(await sign_in(server, "ana"))
        bo = await sign_in(server, "bo")
        editors = [await CodrawV1(meeting, meeting.host).join(), await Tmi(meeting, bo).join()]
        editors.append(await Classic(meeting, bo).join())
        await editors[0].edit(add(id := cell_id()))
        await editors[0].hear("operation_accepted")
        assert server.stop() == 0
        assert [(await editor.closed())[0] for editor in editors] == [1012] * 3
        server.start()
        back = editors[0]
        assert isinstance(back, CodrawV1)
        await back.connect(resume=back.place)
        assert (await back.hear("resumed", "state"))["count"] == 0
        assert [cell["id"] for cell in (await meeting.cells())[1]] == [id]
        assert (await meeting.host.get(f"{meeting.path}/collaborate"))["session_id"] == meeting.session
        await meeting.over()
    assert "Traceback" not in server.log
