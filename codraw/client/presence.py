"""Who is there, who presents, and what everybody shows of themselves: we of us, the others of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from codraw.client.events import (
    Awareness,
    Joined,
    Left,
    PresenterChanged,
    PresenterDenied,
    PresenterRequested,
    RosterChanged,
)
from codraw.client.link import Link
from protocol.codec import Encoding, decode
from protocol.dialects import codraw_v1_messages as wire
from protocol.dialects import requests
from protocol.dialects.parts import Person, Point, Viewport
from protocol.refusals import ProtocolError
from protocol.values import User


class Participant(msgspec.Struct, frozen=True):
    user: User
    role: str
    permissions: str
    is_host: bool
    is_presenter: bool
    connections: Sequence[wire.Connection]


class Peer(msgspec.Struct, frozen=True):
    """What one connection of somebody else shows. None: nothing, or nothing any more."""

    connection_id: str
    cursor: Point | None = None
    selection: Sequence[str] | None = None
    viewport: Viewport | None = None


class Presence:
    def __init__(self, link: Link) -> None:
        self.participants: Sequence[Participant] = ()
        self.host: User | None = None
        self.host_state = "absent"
        self.presenter: User | None = None
        self.peers: dict[str, Peer] = {}
        """By connection id."""
        self.awareness_hz = 20
        self._link = link
        self._shown: dict[str, Any] = {}
        self._unshown: dict[str, Any] = {}

    # what we show -----------------------------------------------------------------------------------------------------

    def aware(self, change: Mapping[str, Any]) -> None:
        """The newest wins, `awareness_hz` frames a second at most. Raises ValueError for what is no such thing."""
        taken = _taken(change)
        self._shown.update(taken)
        self._unshown.update(taken)
        if "aware" not in self._link.timers:
            self._show_ourselves()

    def returned(self) -> None:
        """On a new connection nobody knows what we show."""
        self._unshown = dict(self._shown)
        self._show_ourselves()

    def _show_ourselves(self) -> None:
        if not self._unshown or not self._link.is_live:
            return
        self._link.say({"message_type": "awareness", **self._unshown})
        self._unshown = {}
        self._link.timers.after(1 / self.awareness_hz, "aware", self._show_ourselves)

    # what the server says ---------------------------------------------------------------------------------------------

    def welcomed(self, session: wire.Session) -> None:
        if self.host is None:  # the first time nothing has changed
            self.presenter = user_or_none(session.presenter)
        self.host = user(session.host)
        self._presents(session.presenter, session.presenter_term)

    def roster(self, said: wire.Participants) -> None:
        # of a crowd a newcomer is told, too, who came and went shortly before it: its first list had that
        known = {one.user.id for one in self.participants}
        self.participants = [_participant(one) for one in said.participants]
        self.host, self.host_state = user(said.host), said.host_state
        present = {connection.connection_id for one in said.participants for connection in one.connections}
        gone = self.peers.keys() - present
        for id in gone:
            del self.peers[id]
        for who in said.joined:
            if who.id not in known:
                self._link.tell(Joined(who))
        for who in said.left:
            if who.id in known:
                self._link.tell(Left(who))
        self._presents(said.presenter, said.presenter_term)
        self._link.tell(RosterChanged())
        if gone:
            self._link.tell(Awareness([]))

    def presenting(self, said: wire.Presenter) -> None:
        match said.action, said.user:
            case "changed", _:
                self._presents(said.presenter, said.term)
            case "requested", Person() as asker:
                self._link.tell(PresenterRequested(user(asker)))
            case "denied", Person() as denied:
                self._link.tell(PresenterDenied(user(denied), "system" if said.by is UNSET else said.by))

    def _presents(self, person: Person | None, term: int) -> None:
        presenter = user_or_none(person)
        if presenter != self.presenter:
            self.presenter = presenter
            self.participants = [_presenting(one, presenter) for one in self.participants]
            self._link.tell(PresenterChanged(presenter, term))

    def shown(self, said: wire.Awareness) -> None:
        for update in said.updates:
            former = self.peers.get(update.connection_id) or Peer(update.connection_id)
            given = {key: value for key in _SHOWN if (value := getattr(update, key)) is not UNSET}
            self.peers[update.connection_id] = msgspec.structs.replace(former, **given)
        self._link.tell(Awareness(said.updates))

    def lost(self) -> None:
        if self.peers:
            self.peers.clear()
            self._link.tell(Awareness([]))


_SHOWN = ("cursor", "selection", "viewport")


def _taken(change: Mapping[str, Any]) -> dict[str, Any]:
    """A copy, which the server will take."""
    try:
        copy = decode(msgspec.msgpack.encode(change), Encoding.MSGPACK)
        msgspec.convert(copy, requests.Awareness).intent(None)
    except (ProtocolError, msgspec.ValidationError, OverflowError) as error:
        raise ValueError(f"this cannot be shown: {error}") from None
    return copy


def user(person: Person) -> User:
    return User(person.provider, person.provider_id, person.email, person.display_name)


def user_or_none(person: Person | None) -> User | None:
    return None if person is None else user(person)


def _presenting(one: Participant, presenter: User | None) -> Participant:
    return msgspec.structs.replace(one, is_presenter=presenter is not None and one.user.id == presenter.id)


def _participant(one: wire.Participant) -> Participant:
    return Participant(user(one.user), one.role, one.permissions, one.is_host, one.is_presenter, one.connections)
