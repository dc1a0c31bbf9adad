"""The URL table, in the order of the written contract, and the Starlette application made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rest.front import Front
from rest.problems import HANDLERS

Endpoint = Callable[[Request], Awaitable[Response]]
Table = Mapping[str, Mapping[str, Endpoint]]
"""Path -> method -> endpoint. All methods of a path stand together, so that a 405 can name them."""


def table(front: Front) -> Table:
    return {
        "/": {"GET": front.root},
        "/healthz": {"GET": front.healthz},
        "/readyz": {"GET": front.readyz},
        "/openapi.yml": {"GET": front.document},
        "/asyncapi.yml": {"GET": front.document},
    }


def application(front: Front) -> Starlette:
    app = Starlette(routes=routes(table(front)), exception_handlers=HANDLERS)
    # A redirect to the other spelling turns a client's POST into a GET; an unknown path is a 404.
    app.router.redirect_slashes = False
    return app


def routes(rows: Table) -> list[Route]:
    return [Route(path, by_method(endpoints), methods=list(endpoints)) for path, endpoints in rows.items()]


def by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return endpoint
