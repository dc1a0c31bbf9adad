"""The trail of a diagram that people edit through all doors, on the real server."""

from __future__ import annotations

from typing import Any

from tests.support.client import CodrawV1, Tmi, add, cell_id
from tests.support.servers import Meeting, Person
from tests.support.turns import until_read
from tests.wire.test_presenter import eject, grant
from tests.wire.test_undo import done


async def told(meeting: Meeting) -> list[tuple[Any, ...]]:
    """Oldest first: vector, what, who, door, and the kind of a change of cells or the reason of an end."""
    lines = reversed((await meeting.host.get(f"{meeting.path}/audit_trail"))["items"])
    return [
        (
            line["update_vector"],
            f"{line['action']} {line['object_type']}",
            line["by"] and line["by"]["provider_id"],
            line["door"],
            line["details"].get("kind") or line["details"].get("reason"),
        )
        for line in lines
    ]


async def test_RE42_whoever_edits_by_whichever_door_is_in_the_trail(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await Tmi(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    await guest.edit(add(cell_id()), add(cell_id()))
    await guest.hear("operation_accepted")
    await done(guest)
    await ana.ask("PATCH", meeting.path, {"name": "new"})
    operation = {"type": "patch", "cells": [add(cell_id())]}
    await ana.post(f"{meeting.path}/operations", {"operation_id": cell_id(), "operation": operation})
    await host.leave()

    async def over() -> bool:
        return (await told(meeting))[-1][1] == "ended session"

    await until_read(over)
    assert await told(meeting) == [
        (0, "created diagram", "ana", "rest", None),
        (0, "started session", "ana", "rest", None),
        (1, "updated diagram", "bo", "socket", "edit"),
        (2, "updated diagram", "bo", "socket", "undo"),
        (2, "updated diagram", "ana", "rest", None),
        (3, "updated diagram", "ana", "rest", "rest"),
        (3, "ended session", "ana", "socket", "host_left"),
    ]


async def test_RE40_who_presents_and_who_is_ejected_is_in_the_trail(meeting: Meeting, ana: Person, bo: Person) -> None:
    host, guest = await CodrawV1(meeting, ana).join(), await CodrawV1(meeting, bo).join()
    await host.say(grant(CodrawV1, "bo"))
    await guest.hear("presenter")
    await host.say(eject(CodrawV1, "bo"))
    address = f"{meeting.path}/audit_trail?object_type=session&action=updated"

    async def both() -> bool:
        return int((await ana.get(address))["total"]) == 2

    await until_read(both)
    removal, granting = (await ana.get(address))["items"]
    assert granting["details"] == {"changed": ["presenter"], "presenter": "test:bo"}
    assert removal["details"] == {"changed": ["ejected", "presenter"], "ejected": "test:bo", "presenter": "test:ana"}
    assert {(line["by"]["provider_id"], line["door"]) for line in (granting, removal)} == {("ana", "socket")}
