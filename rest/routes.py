"""The URL table, in the order of the written contract, and the application made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from rest import calls
from rest.collections import OTHERS, THREATS, Items
from rest.dependencies import RestDependencies
from rest.diagrams import Diagrams
from rest.entries import Authorization
from rest.front import Front
from rest.identity import Identity, call
from rest.metadata import Holder, Metadata, OfDiagram, OfItem, OfThreatModel
from rest.middleware import AnswerHeaders, Cors
from rest.models import ThreatModels
from rest.oauth.account import Account
from rest.oauth.server import OAuthServer
from rest.operations import Operations
from rest.paging import empty
from rest.problems import HANDLERS
from rest.sessions import Sessions

Endpoint = Callable[[Request], Awaitable[Response]]
Table = Mapping[str, Mapping[str, Endpoint]]
"""Path -> method -> endpoint. All methods of a path stand together, so that a 405 can name them."""
SignedInTable = Mapping[str, Mapping[str, calls.Endpoint]]

TM = "/threat_models/{threat_model_id}"
DG = TM + "/diagrams/{diagram_id}"


def front_table(front: Front) -> Table:
    return {
        "/": {"GET": front.root},
        "/healthz": {"GET": front.healthz},
        "/readyz": {"GET": front.readyz},
        "/openapi.yml": {"GET": front.document},
        "/asyncapi.yml": {"GET": front.document},
        "/docs/ws": {"GET": front.wire_page},
        "/web/{path:path}": {"GET": front.file},
    }


def oauth_table(deps: RestDependencies) -> Table:
    server = OAuthServer(deps)
    return {
        "/saml/providers": {"GET": server.saml_providers},
        "/oauth2/providers": {"GET": server.providers},
        "/oauth2/authorize": {"GET": server.authorize},
        "/oauth2/callback": {"GET": server.callback},
        "/oauth2/token": {"POST": server.token},
        "/oauth2/refresh": {"POST": server.refresh},
    }


def signed_in_table(deps: RestDependencies) -> SignedInTable:
    return {**_account(deps), **_models(deps), **_diagrams(deps), **_items(deps)}


def _account(deps: RestDependencies) -> SignedInTable:
    account, sessions = Account(deps), Sessions(deps)
    return {
        "/oauth2/userinfo": {"GET": account.userinfo},
        "/oauth2/logout": {"POST": account.logout},
        "/me": {"GET": account.me},
        "/me/logout": {"POST": account.logout},
        "/me/sessions": {"GET": sessions.mine},
        "/addons": {"GET": partial(empty, "addons")},
        "/projects": {"GET": partial(empty, "projects")},
        "/ws/ticket": {"GET": sessions.ticket},
    }


def _models(deps: RestDependencies) -> SignedInTable:
    models, authorization = ThreatModels(deps), Authorization(deps)
    return {
        "/threat_models": {"GET": models.list, "POST": models.create},
        TM: {"GET": models.read, "PUT": models.replace, "PATCH": models.patch, "DELETE": models.delete},
        f"{TM}/authorization": {"GET": authorization.list, "POST": authorization.add},
        f"{TM}/authorization/{{index}}": {"PUT": authorization.change, "DELETE": authorization.remove},
        **_metadata(TM, OfThreatModel(deps)),
    }


def _diagrams(deps: RestDependencies) -> SignedInTable:
    diagrams, operations, sessions = Diagrams(deps), Operations(deps), Sessions(deps)
    return {
        f"{TM}/diagrams": {"GET": diagrams.list, "POST": diagrams.create},
        DG: {"GET": diagrams.read, "PUT": diagrams.replace, "PATCH": diagrams.patch, "DELETE": diagrams.delete},
        "/diagrams/{diagram_id}/cells": {"PUT": diagrams.replace_cells},
        f"{DG}/operations": {"POST": operations.submit},
        f"{DG}/collaborate": {
            "POST": sessions.begin,
            "PUT": sessions.join,
            "GET": sessions.look,
            "DELETE": sessions.leave,
        },
        **_metadata(DG, OfDiagram(deps)),
    }


def _items(deps: RestDependencies) -> SignedInTable:
    rows: dict[str, Mapping[str, calls.Endpoint]] = {}
    for kind in (THREATS, *OTHERS):
        items = Items(deps, kind)
        nested = f"{TM}/{kind.resource}"
        for base in (nested, f"/{kind.resource}") if kind is THREATS else (nested,):
            rows[base] = {"GET": items.list, "POST": items.create}
            rows[f"{base}/{{item_id}}"] = {
                "GET": items.read,
                "PUT": items.replace,
                "PATCH": items.patch,
                "DELETE": items.delete,
            }
    return {**rows, **_metadata(f"{TM}/{THREATS.resource}/{{item_id}}", OfItem(deps, THREATS.kind))}


def _metadata(base: str, holder: Holder) -> SignedInTable:
    metadata = Metadata(holder)
    return {
        f"{base}/metadata": {"GET": metadata.list, "POST": metadata.add},
        f"{base}/metadata/bulk": {
            "POST": metadata.add_all,
            "PUT": metadata.replace_all,
            "PATCH": metadata.merge_all,
        },
        # Keys may hold slashes.
        f"{base}/metadata/{{key:path}}": {"GET": metadata.read, "PUT": metadata.replace, "DELETE": metadata.remove},
    }


def table(deps: RestDependencies) -> Table:
    signed_in = {
        path: {method: _signed_in(deps, endpoint) for method, endpoint in endpoints.items()}
        for path, endpoints in signed_in_table(deps).items()
    }
    return {**front_table(deps.front), **oauth_table(deps), **signed_in}


def _signed_in(deps: RestDependencies, endpoint: calls.Endpoint) -> Endpoint:
    async def answered(request: Request) -> Response:
        return await endpoint(call(request, deps))

    return answered


def application(deps: RestDependencies) -> ASGIApp:
    """The HTTP edge. CORS stands before the identity: a preflight carries no credential."""
    app = starlette(table(deps))
    return AnswerHeaders(Cors(Identity(app, deps), deps.origins))


def starlette(rows: Table) -> Starlette:
    app = Starlette(routes=routes(rows), exception_handlers=HANDLERS)
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
