"""What TMI's clients ask for at their start: which parts of their server this one has, and its limits."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from protocol.values import Limits
from rest.answers import answer

KEPT = {"Cache-Control": "public, max-age=300"}
MOST_PARTICIPANTS = 100
"""More their contract does not let anybody announce."""


class ClientConfig:
    """TMI's app takes its own defaults for what is not named: the operator, the logo, the theme."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def read(self, _: Request) -> Response:
        return answer(
            {
                "features": {
                    "websocket_enabled": True,
                    "saml_enabled": False,
                    "webhooks_enabled": True,
                    "timmy_enabled": False,
                },
                "limits": {"max_diagram_participants": min(self._limits.max_sockets_per_session, MOST_PARTICIPANTS)},
            },
            headers=KEPT,
        )
