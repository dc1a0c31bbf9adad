"""Everything HTTP says no with: one `Problem`, and the one place that turns it into bytes (RE1)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from collab.ports import StoreUnavailable
from protocol.refusals import CellError, ProtocolError

Handler = Callable[[Request, Exception], Response | Awaitable[Response]]

INVALID = 422
"""Well-formed, but against a rule."""
BY_STATUS = {
    400: ("invalid_request", "The request cannot be read."),
    401: ("unauthorized", "Sign in first."),
    403: ("forbidden", "This is not yours to do."),
    404: ("not_found", "Not found: there is nothing here."),
    405: ("method_not_allowed", "This address does not answer that method."),
    413: ("payload_too_large", "The body is too large."),
    415: ("unsupported_media_type", "The body has a type that is not understood here."),
}


class Problem(Exception):
    """A refusal. `message` is for people, `error` for programs; neither shows a stack, a path of ours or SQL.

    `more`: members beside the four, where a contract has them.
    """

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.details = dict(details or {})
        self.headers = dict(headers or {})
        self.more = dict(more or {})

    def body(self) -> bytes:
        form = {
            "error": self.error,
            "message": self.message,
            "error_description": self.message,
            "details": self.details,
            **self.more,
        }
        return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()

    def response(self) -> Response:
        return Response(self.body(), self.status, self.headers, media_type="application/json")


def not_found(message: str = BY_STATUS[404][1]) -> Problem:
    return Problem(404, "not_found", message)


def malformed(message: str) -> Problem:
    return Problem(400, "invalid_input", message)


def unauthorized() -> Problem:
    return Problem(401, *BY_STATUS[401], headers={"WWW-Authenticate": "Bearer"})


def forbidden(message: str = BY_STATUS[403][1]) -> Problem:
    return Problem(403, "forbidden", message)


def conflict(message: str, error: str = "conflict", **details: Any) -> Problem:
    return Problem(409, error, message, details=details)


def read_only(field: str) -> Problem:
    """RE6."""
    return bad_field(field, "is set by the server", status=400, error="read_only_field")


def unavailable() -> Problem:
    return Problem(503, "unavailable", "The store cannot be reached; try again.", headers={"Retry-After": "1"})


def cell_refused(raised: CellError) -> Problem:
    at = {"cell": raised.cell, "field": raised.field, "reason": raised.message}
    details = {name: value for name, value in at.items() if value is not None}
    return Problem(INVALID, raised.reason.value, raised.message, details=details)


def bad_field(field: str, reason: str, *, status: int = INVALID, error: str = "validation_error") -> Problem:
    return Problem(status, error, f"{field}: {reason}", details={"field": field, "reason": reason})


def placed(refused: Problem, place: str) -> Problem:
    """The same of something that stands at `place`, as `authorization[1]`: a field is named with it."""
    field = refused.details.get("field")
    if field is None:
        return refused
    reason = refused.details.get("reason", refused.message)
    return bad_field(f"{place}.{field}", reason, status=refused.status, error=refused.error)


def server_error() -> Problem:
    return Problem(500, "server_error", "Something went wrong on our side.")


def from_http(raised: HTTPException) -> Problem:
    """What Starlette itself refuses: no route, no such method, an unreadable body."""
    error, message = BY_STATUS.get(raised.status_code, ("invalid_request", "The request was refused."))
    return Problem(raised.status_code, error, message, headers=raised.headers)


async def _unhandled(_: Request, __: Exception) -> Response:
    # Starlette raises it again once the answer is out, and the server logs it: here its inside stays hidden.
    return server_error().response()


def as_problem(raised: Exception) -> Problem | None:
    """The refusals of the inner layers in the words of this one; None: not a refusal but a fault."""
    match raised:
        case Problem():
            return raised
        case HTTPException():
            return from_http(raised)
        case ClientDisconnect():
            # Nobody hears it; but it is no fault of ours.
            return malformed("The body ends too early.")
        case StoreUnavailable():
            return unavailable()
        case CellError():
            return cell_refused(raised)
        case ProtocolError():
            return malformed(raised.message)
    return None


async def _refused(_: Request, raised: Exception) -> Response:
    return (as_problem(raised) or server_error()).response()


def invalid_as(status: int, raised: Problem | CellError) -> Problem:
    """The same refusal; one of what is well-formed but invalid has the status that the caller's contract has for
    that (RE9)."""
    problem = cell_refused(raised) if isinstance(raised, CellError) else raised
    if problem.status == INVALID:
        problem.status = status
    return problem


REFUSALS = (Problem, HTTPException, ClientDisconnect, StoreUnavailable, CellError, ProtocolError)
HANDLERS: Mapping[Any, Handler] = {**dict.fromkeys(REFUSALS, _refused), Exception: _unhandled}
