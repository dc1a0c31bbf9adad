"""Requests about presenter and participants: each named by a `ref`, each answered once, or lost with the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from codraw.client.errors import RequestRefused, Unreachable
from codraw.client.events import Trouble
from codraw.client.link import Link
from codraw.client.messages import Error


class Requests:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def ask(self, message: Mapping[str, Any]) -> None:
        """Returns when it is done. Raises RequestRefused, Unreachable."""
        ref = str(uuid4())
        if not self._link.is_live or not self._link.say({**message, "ref": ref}):
            raise Unreachable("there is no connection")
        answer = self._waiting[ref] = asyncio.get_running_loop().create_future()
        try:
            await answer
        finally:
            del self._waiting[ref]

    def done(self, ref: str) -> None:
        if (answer := self._unanswered(ref)) is not None:
            answer.set_result(None)

    def troubled(self, error: Error) -> None:
        """An error that answers no request is told to whoever listens."""
        if (answer := self._unanswered(error.ref)) is not None:
            answer.set_exception(RequestRefused(error.error, error.message, error.details))
        else:
            self._link.tell(Trouble(error.error, error.message))

    def lost(self) -> None:
        for ref in self._waiting:
            if (answer := self._unanswered(ref)) is not None:
                answer.set_exception(Unreachable("the connection was lost before the answer"))

    def _unanswered(self, ref: str | None) -> asyncio.Future[None] | None:
        answer = None if ref is None else self._waiting.get(ref)
        return None if answer is None or answer.done() else answer
