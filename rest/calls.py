"""One request of somebody who is signed in."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from protocol.values import Caller, DiagramId, ThreatModelId
from rest.ports import Action, Cause, Door
from rest.problems import bad_field
from rest.views import Forms

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    """`forms`: how bodies look to this caller. `base`: this server's address as the caller reaches it."""

    request: Request
    caller: Caller
    forms: Forms
    base: str
    by_cookie: bool = False

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    def id(self, name: str) -> str:
        """An id of the path, in its one spelling."""
        return uuid(self.request.path_params[name], name)

    @property
    def threat_model_id(self) -> ThreatModelId:
        return ThreatModelId(self.id("threat_model_id"))

    @property
    def diagram_id(self) -> DiagramId:
        return DiagramId(self.id("diagram_id"))

    def cause(self, object_type: str | None = None, action: Action | None = None, **detail: Any) -> Cause:
        """For the trail. The first two where the method of the store that changes something does not tell them."""
        return Cause(self.caller.user, Door.REST, action, object_type, detail)

    def here(self, *more: str) -> str:
        """The path of this request and what lies below it."""
        return "/".join((self.request.scope["path"], *more))


Endpoint = Callable[[Call], Awaitable[Response]]


def uuid(text: str, name: str) -> str:
    """Raises 400 `invalid_id`."""
    if UUID.fullmatch(text) is None:
        raise bad_field(name, "must be a UUID", status=400, error="invalid_id")
    return text.lower()
