"""What is answered while the store has not been found yet: that the process lives, and that it cannot serve."""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from codraw.access_log import AccessLog
from codraw.settings import Settings
from collab.access.origins import Origins
from collab.endpoint import refuse
from collab.handshake import Refused
from rest.front import Readiness, readiness_answer
from rest.middleware import AnswerHeaders, Cors
from rest.problems import unavailable


class Waiting:
    """`http` and `socket` are the two edges, as a house has them."""

    def __init__(self, settings: Settings) -> None:
        self.draining = False
        origins = Origins.of(settings.allowed_origins, settings.development)
        self.http: ASGIApp = AccessLog(AnswerHeaders(Cors(self._answer, origins), settings.public_url))

    async def socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await refuse(scope, send, Refused(503, "unavailable", "The server waits for its store.", {"Retry-After": "1"}))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer_to(scope["path"])(scope, receive, send)

    def _answer_to(self, path: str) -> Response:
        match path:
            case "/healthz":
                return PlainTextResponse("ok\n")
            case "/readyz":
                return readiness_answer(Readiness("down", bus="ok", schema="down", draining=self.draining))
        return unavailable().response()
