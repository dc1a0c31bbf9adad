"""Who presents and who is shown where people point, in each dialect: whole frames, of every socket that is there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Classic, CodrawV1, Editor, Message, Tmi
from tests.support.servers import Meeting, Person, sign_in
from tests.support.tabs import (
    ALL_THREE,
    DIALECTS,
    Tabs,
    current_presenter,
    event,
    heard,
    mail,
    participants_update,
    reached,
    tabs,
    user,
)

Frames = tuple[list[Message], list[Message], list[Message]]
NOTHING: Frames = ([], [], [])


def named(name: str) -> Message:
    return {"provider": "test", "provider_id": name}


def ask(kind: type[Editor]) -> Message:
    if kind is CodrawV1:
        return {"message_type": "presenter", "action": "request"}
    return {"message_type": "presenter_request"}


def grant(kind: type[Editor], name: str | None) -> Message:
    if kind is Classic:
        return {"message_type": "change_presenter", "new_presenter": None if name is None else mail(name)}
    if kind is Tmi:
        whom = {} if name is None else {"new_presenter": user(name)}
        return {"message_type": "change_presenter_request", **whom}
    return {"message_type": "presenter", "action": "grant", **({} if name is None else {"user": named(name)})}


def deny(kind: type[Editor], name: str) -> Message:
    if kind is Classic:
        return {"message_type": "presenter_denied", "target_user": mail(name)}
    if kind is Tmi:
        return {"message_type": "presenter_denied_request", "denied_user": user(name)}
    return {"message_type": "presenter", "action": "deny", "user": named(name)}


def eject(kind: type[Editor], name: str) -> Message:
    if kind is Classic:
        return {"message_type": "remove_participant", "target_user": mail(name)}
    if kind is Tmi:
        return {"message_type": "remove_participant_request", "removed_user": user(name)}
    return {"message_type": "remove_participant", "user": named(name)}


def changed(presenter: str | None, term: int, by: str = "host") -> Frames:
    """To everybody."""
    v1 = {"message_type": "presenter", "action": "changed", "presenter": presenter and user(presenter), "term": term}
    roster = participants_update("ana", "bo", presenter=presenter)
    return [current_presenter(presenter)], [roster], [{**v1, "by": by}]


def asked(presenter: str | None = "ana", term: int = 1) -> Frames:
    """To the host, of bo's wish."""
    v1 = {"message_type": "presenter", "action": "requested", "presenter": presenter and user(presenter), "term": term}
    return (
        [{"message_type": "presenter_request", "user_id": mail("bo")}],
        [{"message_type": "presenter_request_event", "requesting_user": user("bo")}],
        [{**v1, "user": user("bo")}],
    )


def denied(by: str) -> Frames:
    """To bo."""
    v1 = {"message_type": "presenter", "action": "denied", "presenter": user("ana"), "term": 1, "user": user("bo")}
    classic = {"message_type": "presenter_denied", "user_id": mail("ana") if by == "host" else by}
    return (
        [{**classic, "target_user": mail("bo")}],
        [{"message_type": "presenter_denied_event", "denied_user": user("bo")}],
        [{**v1, "by": by}],
    )


def trouble(kind: type[Editor], error: str, message: str) -> Message:
    details: Message = {"details": {}}
    at: Message = {"timestamp": "T"}
    rest: dict[type[Editor], Message] = {Classic: details | at, Tmi: at, CodrawV1: details}
    return {"message_type": "error", "error": error, "message": message, **rest[kind]}


def only(kind: type[Editor], frame: Message) -> Frames:
    """To the one socket that asked."""
    return tuple([frame] if kind is one else [] for one in DIALECTS)  # type: ignore[return-value]


class Stage:
    """The host ana and the guest bo, each with three tabs."""

    def __init__(self, host: Tabs, guest: Tabs) -> None:
        self.host, self.guest = host, guest

    async def after(self, speaker: Editor, *messages: Message) -> tuple[Frames, Frames]:
        """What the host's and the guest's tabs are sent upon these."""
        for message in messages:
            await speaker.say(message)
        await reached(speaker)
        await self.guest.settled()
        return await self.host.heard(), await self.guest.heard()


@pytest.fixture
async def stage(meeting: Meeting, ana: Person, bo: Person) -> Stage:
    host, guest = await tabs(meeting, ana), await tabs(meeting, bo)
    await host.heard()
    return Stage(host, guest)


# asking, granting, denying, releasing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR11_a_wish_to_present_is_shown_to_the_host_alone(stage: Stage, kind: type[Editor]) -> None:
    assert await stage.after(stage.guest.of(kind), ask(kind)) == (asked(), NOTHING)


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR11_a_wish_while_the_host_is_away_is_denied_by_the_system(
    meeting: Meeting, ana: Person, bo: Person, kind: type[Editor]
) -> None:
    host, guest = await Tmi(meeting, ana).join(), await tabs(meeting, bo)
    await host.leave(1001)
    while (await guest.v1.hear("participants"))["host_state"] != "away":
        pass
    await guest.heard()
    await guest.of(kind).say(ask(kind))
    await reached(guest.of(kind))
    assert await guest.heard() == denied("system")


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR4_a_grant_is_told_to_all_and_so_is_its_taking_back(stage: Stage, kind: type[Editor]) -> None:
    host = stage.host.of(kind)
    assert await stage.after(host, grant(kind, "bo")) == (changed("bo", 2),) * 2
    assert await stage.after(host, grant(kind, "bo")) == (NOTHING, NOTHING)
    assert await stage.after(host, grant(kind, None)) == (changed(None, 3),) * 2
    assert await stage.after(host, ask(kind)) == (changed("ana", 4),) * 2
    assert await stage.after(host, ask(kind)) == (NOTHING, NOTHING)


@pytest.mark.parametrize("by", ["host", "guest"])
async def test_host_and_presenter_may_release_so_that_nobody_presents(stage: Stage, by: str) -> None:
    release = {"message_type": "presenter", "action": "release"}
    await stage.after(stage.host.v1, grant(CodrawV1, "bo"))
    assert await stage.after(getattr(stage, by).v1, release) == (changed(None, 3),) * 2
    nobodys = only(CodrawV1, trouble(CodrawV1, "permission_denied", "only the presenter or the host"))
    assert await stage.after(stage.guest.v1, release) == (NOTHING, nobodys)


@pytest.mark.parametrize("kind", DIALECTS)
async def test_a_denial_is_told_to_all_sockets_of_the_denied(stage: Stage, kind: type[Editor]) -> None:
    assert await stage.after(stage.host.of(kind), deny(kind, "bo")) == (NOTHING, denied("host"))


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize("request_", [grant, deny, eject])
async def test_WS22_somebody_absent_is_an_invalid_participant(stage: Stage, kind: type[Editor], request_: Any) -> None:
    refused = only(kind, trouble(kind, "invalid_participant", "nobody of that name is connected"))
    assert await stage.after(stage.host.of(kind), request_(kind, "cy")) == (refused, NOTHING)


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize("request_", [grant, deny, eject])
async def test_WS22_S40_a_guest_is_denied_what_only_the_host_may(
    stage: Stage, kind: type[Editor], request_: Any
) -> None:
    refused = only(kind, trouble(kind, "permission_denied", "host only"))
    for name in ("ana", "bo"):
        assert await stage.after(stage.guest.of(kind), request_(kind, name)) == (NOTHING, refused)


@pytest.mark.parametrize("kind", DIALECTS)
async def test_S44_the_host_is_not_ejected(stage: Stage, kind: type[Editor]) -> None:
    refused = only(kind, trouble(kind, "validation_error", "the host cannot be removed"))
    assert await stage.after(stage.host.of(kind), eject(kind, "ana")) == (refused, NOTHING)


@pytest.mark.parametrize("request_", [grant, deny, eject])
async def test_S44_an_address_that_fits_two_people_names_nobody(stage: Stage, meeting: Meeting, request_: Any) -> None:
    """The test provider has a second person of an address: the one whose name is that address."""
    for hint in ("twin", mail(mail("twin"))):
        twin = await sign_in(meeting.server, hint)
        assert (await twin.get("/me"))["email"] == mail("twin")
        await Classic(meeting, twin).join()
    await stage.host.heard()
    await stage.guest.heard()
    refused = only(Classic, trouble(Classic, "invalid_participant", "nobody of that name is connected"))
    assert await stage.after(stage.host.classic, request_(Classic, "twin")) == (refused, NOTHING)


async def test_a_request_with_a_ref_is_answered_by_it(stage: Stage) -> None:
    """`done` after what it brought about; an error repeats the ref."""
    host, guest = await stage.after(stage.host.v1, {**grant(CodrawV1, "bo"), "ref": "g"})
    assert (host[2], guest) == ([*changed("bo", 2)[2], {"message_type": "done", "ref": "g"}], changed("bo", 2))
    for message in (ask(CodrawV1), grant(CodrawV1, "cy")):
        _, guest = await stage.after(stage.guest.v1, {**message, "ref": "r"})
        assert [frame["ref"] for frame in guest[2]] == ["r"]


# pointing -------------------------------------------------------------------------------------------------------------


def pointing(kind: type[Editor], x: int) -> Message:
    if kind is CodrawV1:
        return {"message_type": "awareness", "cursor": {"x": x, "y": 0.5}}
    return {"message_type": "presenter_cursor", "cursor_position": {"x": x, "y": 0.5}}


def selecting(kind: type[Editor], *ids: str) -> Message:
    if kind is CodrawV1:
        return {"message_type": "awareness", "selection": list(ids)}
    return {"message_type": "presenter_selection", "selected_cells": list(ids)}


def awareness(*updates: Message) -> Message:
    return {"message_type": "awareness", "updates": [{"connection_id": "C", **update} for update in updates]}


AT_7 = {"x": 7, "y": 0.5}
CELL = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"
SHOWN: dict[Any, tuple[Message, Message, Message]] = {
    pointing: (
        {"message_type": "presenter_cursor", "user_id": mail("ana"), "cursor_position": AT_7},
        {"message_type": "presenter_cursor", "cursor_position": AT_7},
        awareness({"cursor": AT_7}),
    ),
    selecting: (
        {"message_type": "presenter_selection", "user_id": mail("ana"), "selected_cells": [CELL]},
        {"message_type": "presenter_selection", "selected_cells": [CELL]},
        awareness({"selection": [CELL]}),
    ),
}
"""How the presenter's looks in each dialect."""


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize(("points", "what"), [(pointing, 7), (selecting, CELL)])
async def test_PR8_the_presenters_reaches_every_other_socket_in_its_dialect(
    stage: Stage, kind: type[Editor], points: Any, what: Any
) -> None:
    host, guest = await stage.after(stage.host.of(kind), points(kind, what))
    everywhere = tuple([frame] for frame in SHOWN[points])
    assert guest == everywhere
    assert host == tuple([] if kind is one else shown for one, shown in zip(DIALECTS, everywhere, strict=True))


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize(("points", "what"), [(pointing, 7), (selecting, CELL)])
async def test_PR6_PR8_a_guests_reaches_codraw_v1_only_and_only_from_there(
    stage: Stage, kind: type[Editor], points: Any, what: Any
) -> None:
    host, guest = await stage.after(stage.guest.of(kind), points(kind, what))
    shown = [SHOWN[points][2]] if kind is CodrawV1 else []
    assert (host, guest) == (([], [], shown), NOTHING)


async def test_PR8_everybodys_viewport_is_shown_by_connection(stage: Stage, meeting: Meeting, bo: Person) -> None:
    other = await CodrawV1(meeting, bo).connect()
    connection = (await other.hear("welcome"))["you"]["connection_id"]
    viewport = {"x": 0, "y": 1, "width": 800, "height": 600, "zoom": 1.5}
    await other.say({"message_type": "awareness", "viewport": viewport})
    for editor in (stage.host.v1, stage.guest.v1):
        assert (await editor.hear("awareness"))["updates"] == [{"connection_id": connection, "viewport": viewport}]
    await other.say({"message_type": "awareness", "viewport": None})
    for editor in (stage.host.v1, stage.guest.v1):
        assert (await editor.hear("awareness"))["updates"] == [{"connection_id": connection, "viewport": None}]


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR9_of_many_values_few_are_sent_and_the_last_one_arrives(stage: Stage, kind: type[Editor]) -> None:
    sender = stage.host.of(kind)
    for x in range(100):
        await sender.say(pointing(kind, x))
    last = {"x": 99, "y": 0.5}
    frames: list[list[Any]] = [[], [], []]
    while not frames[0] or frames[0][-1] != last:
        frames[0].append((await stage.guest.classic.hear("presenter_cursor"))["cursor_position"])
    while not frames[1] or frames[1][-1] != last:
        frames[1].append((await stage.guest.tmi.hear("presenter_cursor"))["cursor_position"])
    while not frames[2] or frames[2][-1] != last:
        frames[2].append((await stage.guest.v1.hear("awareness"))["updates"][0]["cursor"])
    assert all(len(shown) < 50 for shown in frames)
    assert all([at["x"] for at in shown] == sorted(at["x"] for at in shown) for shown in frames)


@pytest.mark.parametrize("kind", DIALECTS)
async def test_a_newcomer_sees_at_once_where_the_others_point(
    stage: Stage, meeting: Meeting, kind: type[Editor]
) -> None:
    await stage.after(stage.host.tmi, pointing(Tmi, 7))
    await stage.guest.v1.say(pointing(CodrawV1, 8))
    await stage.host.v1.hear("awareness")
    newcomer = await kind(meeting, await sign_in(meeting.server, "cy")).connect()
    classic, tmi, _ = SHOWN[pointing]
    both = awareness({"cursor": AT_7}, {"cursor": {"x": 8, "y": 0.5}})
    assert (await heard(newcomer))[-1] == {Classic: classic, Tmi: tmi, CodrawV1: both}[kind]


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR10_where_somebody_pointed_vanishes_with_the_connection(
    stage: Stage, meeting: Meeting, ana: Person, kind: type[Editor]
) -> None:
    second = await CodrawV1(meeting, ana).join()
    await stage.after(second, pointing(CodrawV1, 7))
    await second.leave()
    while len((await stage.guest.v1.hear("participants"))["participants"][0]["connections"]) != 3:
        pass
    newcomer = await kind(meeting, await sign_in(meeting.server, "cy")).connect()
    frames = await heard(newcomer)
    assert not {"awareness", "presenter_cursor"} & {frame["message_type"] for frame in frames}
    assert await meeting.cells() == (0, [])


@pytest.mark.parametrize("kind", DIALECTS)
async def test_PR7_where_a_former_presenter_pointed_is_shown_to_no_newcomer(
    stage: Stage, meeting: Meeting, kind: type[Editor]
) -> None:
    await stage.after(stage.host.tmi, pointing(Tmi, 7))
    host, guest = await stage.after(stage.host.tmi, grant(Tmi, "bo"))
    gone = awareness({"cursor": None, "selection": None})
    assert (host[2], guest[2]) == ([*changed("bo", 2)[2], gone],) * 2
    assert (host[:2], guest[:2]) == (changed("bo", 2)[:2],) * 2
    assert await stage.after(stage.host.tmi, pointing(Tmi, 9)) == (NOTHING, NOTHING)
    frames = await heard(await kind(meeting, await sign_in(meeting.server, "cy")).connect())
    assert not {"awareness", "presenter_cursor"} & {frame["message_type"] for frame in frames}


async def test_PR7_a_cursor_of_before_the_grant_is_not_the_presenters(stage: Stage, meeting: Meeting) -> None:
    """bo points in codraw.v1 without presenting: it becomes the presenter's only when bo points again."""
    await stage.after(stage.guest.v1, pointing(CodrawV1, 7))
    await stage.after(stage.host.v1, grant(CodrawV1, "bo"))
    newcomer = await Tmi(meeting, await sign_in(meeting.server, "cy")).join()
    assert "presenter_cursor" not in [frame["message_type"] for frame in await heard(newcomer)]
    await stage.guest.v1.say(pointing(CodrawV1, 8))
    assert (await newcomer.hear("presenter_cursor"))["cursor_position"] == {"x": 8, "y": 0.5}


async def test_PR5_the_ejected_presenter_points_no_more(stage: Stage) -> None:
    await stage.after(stage.host.tmi, grant(Tmi, "bo"))
    await stage.after(stage.guest.tmi, pointing(Tmi, 7))
    await stage.host.tmi.say(eject(Tmi, "bo"))
    await stage.guest.ends()
    classic, tmi, v1 = await stage.host.heard()
    assert classic == [event("leave", "bo"), current_presenter("ana")]
    assert tmi == [participants_update("ana", by="ana")]
    assert (v1[0]["presenter"], v1[0]["presenter_term"]) == (user("ana"), 3)
    assert [one["connections"] for one in v1[0]["participants"]] == [
        [{"connection_id": "C", "dialect": dialect, "joined_at": "T"} for dialect in ALL_THREE]
    ]
