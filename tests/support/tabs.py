"""One person in all three dialects at once, and what exactly each of these tabs was sent since the last look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.client import Classic, CodrawV1, Editor, Message, Tmi
from tests.support.servers import Meeting, Person
from tests.support.wire import word

TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
MARK = "mark"
"""The `ref` of a request that only serves to see how far things are."""
HOST = {"provider": "test", "provider_id": "ana"}
ANSWERS = ("heartbeat", "sync_status_response")
DIALECTS: tuple[type[Editor], ...] = (Classic, Tmi, CodrawV1)


class Tabs:
    """In the order of the columns of the tables: classic, tmi, codraw.v1."""

    def __init__(self, classic: Classic, tmi: Tmi, v1: CodrawV1) -> None:
        self.classic, self.tmi, self.v1 = classic, tmi, v1

    def of(self, kind: type[Editor]) -> Editor:
        return {Classic: self.classic, Tmi: self.tmi, CodrawV1: self.v1}[kind]

    async def heard(self) -> tuple[list[Message], list[Message], list[Message]]:
        return await heard(self.classic), await heard(self.tmi), await heard(self.v1)

    async def settled(self) -> None:
        """What was asked of the session before is decided and told: requests are decided one after the other, and this
        one comes to nothing."""
        await self.v1.say({"message_type": "remove_participant", "user": HOST, "ref": MARK})
        while (await self.v1.hear("error")).get("ref") != MARK:
            pass

    async def ends(self) -> list[tuple[int | None, Message | None]]:
        """Of each the close code and the last frame, before which came no other end."""
        return [await ending(editor) for editor in (self.classic, self.tmi, self.v1)]


async def tabs(meeting: Meeting, person: Person) -> Tabs:
    classic, tmi = await Classic(meeting, person).join(), await Tmi(meeting, person).join()
    opened = Tabs(classic, tmi, await CodrawV1(meeting, person).join())
    await opened.heard()
    return opened


async def heard(editor: Editor) -> list[Message]:
    """What it was sent since the last look, up to the answer to a request of now."""
    await reached(editor)
    told = [message for message in editor.trace if word(message) not in ANSWERS and message.get("ref") != MARK]
    editor.trace.clear()
    return [timeless(message) for message in told]


async def reached(editor: Editor) -> None:
    """What it has sent so far has come to the room."""
    v1 = isinstance(editor, CodrawV1)
    await editor.say({"message_type": "heartbeat", "ref": MARK} if v1 else {"message_type": "sync_status_request"})
    while (await editor.hear(*ANSWERS)).get("ref") != MARK and v1:
        pass


async def ending(editor: Editor) -> tuple[int | None, Message | None]:
    code, messages = await editor.closed()
    ends = [message for message in messages if word(message) in ("session_ended", "error", "goodbye")]
    ends += [message for message in messages if word(message) == "authorization_denied"]
    assert ends in ([], messages[-1:]), messages
    return code, timeless(ends[0]) if ends else None


def timeless(value: Any) -> Any:
    """Every time is T, every connection's id C: no test can know them."""
    if isinstance(value, Mapping):
        return {key: "C" if key == "connection_id" else timeless(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [timeless(item) for item in value]
    return "T" if isinstance(value, str) and TIME.fullmatch(value) else value


# what is expected -----------------------------------------------------------------------------------------------------


def mail(name: str) -> str:
    return f"{name}@tmi.local"


def user(name: str) -> Message:
    return {
        "principal_type": "user",
        "provider": "test",
        "provider_id": name,
        "email": mail(name),
        "display_name": name.capitalize(),
    }


def ref(name: str) -> Message:
    return {"id": f"test:{name}", "name": name.capitalize()}


def event(kind: str, name: str) -> Message:
    """classic: join or leave."""
    return {"event": kind, "user_id": mail(name), "timestamp": "T"}


def current_presenter(name: str | None) -> Message:
    return {"message_type": "current_presenter", "current_presenter": "" if name is None else mail(name)}


def participants_update(
    *names: str, presenter: str | None = "ana", host: str = "ana", by: str | None = None
) -> Message:
    """tmi; everybody may write."""
    return {
        "message_type": "participants_update",
        "initiating_user": None if by is None else user(by),
        "participants": [{"user": user(name), "permissions": "writer", "last_activity": "T"} for name in names],
        "host": user(host),
        "current_presenter": None if presenter is None else user(presenter),
    }


ALL_THREE = ("classic", "tmi", "codraw.v1")


def participants(
    *connected: tuple[str, Sequence[str]],
    presenter: str | None = "ana",
    term: int = 1,
    host: str = "ana",
    host_state: str = "here",
    joined: Sequence[str] = (),
    left: Sequence[str] = (),
) -> Message:
    """codraw.v1: who is there by which dialects; ana owns, the others write."""
    return {
        "message_type": "participants",
        "participants": [
            {
                "user": user(name),
                "role": "owner" if name == "ana" else "writer",
                "permissions": "writer",
                "is_host": name == host,
                "is_presenter": name == presenter,
                "connections": [{"connection_id": "C", "dialect": dialect, "joined_at": "T"} for dialect in dialects],
            }
            for name, dialects in connected
        ],
        "host": user(host),
        "host_state": host_state,
        "presenter": None if presenter is None else user(presenter),
        "presenter_term": term,
        "joined": [ref(name) for name in joined],
        "left": [ref(name) for name in left],
    }
