"""The URL table, in the order of the written contract, and the application made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from protocol.refusals import CellError
from rest import calls
from rest.bulk import Bulk
from rest.client_config import ClientConfig
from rest.collections import OTHERS, THREATS, Items
from rest.dependencies import RestDependencies
from rest.diagrams import Diagrams
from rest.entries import Authorization
from rest.front import Front
from rest.identity import Identity, call
from rest.image.images import Images
from rest.limits import Limits
from rest.metadata import Holder, Metadata, OfDiagram, OfItem, OfThreatModel
from rest.middleware import AnswerHeaders, Cors
from rest.models import ThreatModels
from rest.oauth.account import Account
from rest.oauth.revocation import Revocation
from rest.oauth.server import OAuthServer
from rest.oauth.wellknown import WellKnown
from rest.operations import Operations
from rest.paging import empty
from rest.problems import HANDLERS, Problem, invalid_as
from rest.rates import Quotas
from rest.sessions import Sessions
from rest.trail import AuditTrail
from rest.webhooks.subscriptions import WebhookCalls

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
        "/docs": {"GET": front.docs_page},
        "/docs/rest": {"GET": front.reader_page},
        "/docs/ws": {"GET": front.wire_page},
        "/playground": {"GET": front.playground},
        "/web/{path:path}": {"GET": front.file},
    }


def oauth_table(deps: RestDependencies) -> Table:
    server, revocation, known = OAuthServer(deps), Revocation(deps), WellKnown(deps)
    return {
        "/saml/providers": {"GET": server.saml_providers},
        "/oauth2/providers": {"GET": server.providers},
        "/oauth2/authorize": {"GET": server.authorize},
        "/oauth2/callback": {"GET": server.callback},
        "/oauth2/token": {"POST": server.token},
        "/oauth2/refresh": {"POST": server.refresh},
        "/oauth2/revoke": {"POST": revocation.revoke},
        "/oauth2/introspect": {"POST": revocation.introspect},
        "/.well-known/openid-configuration": {"GET": known.openid_configuration},
        "/.well-known/oauth-authorization-server": {"GET": known.authorization_server},
        "/.well-known/oauth-protected-resource": {"GET": known.protected_resource},
        "/.well-known/jwks.json": {"GET": known.jwks},
    }


def signed_in_table(deps: RestDependencies) -> SignedInTable:
    return {**_account(deps), **_models(deps), **_diagrams(deps), **_items(deps), **_webhooks(deps)}


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
        # Where TMI's app leads who is neither administrator nor reviewer.
        "/intake/surveys": {"GET": partial(empty, "surveys")},
        "/intake/survey_responses": {"GET": partial(empty, "survey_responses")},
        "/ws/ticket": {"GET": sessions.ticket},
    }


def _models(deps: RestDependencies) -> SignedInTable:
    models, authorization = ThreatModels(deps), Authorization(deps)
    return {
        "/threat_models": {"GET": models.list, "POST": models.create},
        TM: {"GET": models.read, "PUT": models.replace, "PATCH": models.patch, "DELETE": models.delete},
        f"{TM}/authorization": {"GET": authorization.list, "POST": authorization.add},
        f"{TM}/authorization/{{index}}": {"PUT": authorization.change, "DELETE": authorization.remove},
        f"{TM}/audit_trail": {"GET": AuditTrail(deps).of_threat_model},
        **_metadata(TM, OfThreatModel(deps)),
    }


def _diagrams(deps: RestDependencies) -> SignedInTable:
    diagrams, operations, sessions = Diagrams(deps), Operations(deps), Sessions(deps)
    return {
        f"{TM}/diagrams": {"GET": diagrams.list, "POST": diagrams.create},
        DG: {"GET": diagrams.read, "PUT": diagrams.replace, "PATCH": diagrams.patch, "DELETE": diagrams.delete},
        "/diagrams/{diagram_id}/cells": {"PUT": diagrams.replace_cells},
        f"{DG}/image": {"GET": Images(deps).read},
        f"{DG}/operations": {"POST": operations.submit},
        f"{DG}/collaborate": {
            "POST": sessions.begin,
            "PUT": sessions.join,
            "GET": sessions.look,
            "DELETE": sessions.leave,
        },
        f"{DG}/audit_trail": {"GET": AuditTrail(deps).of_diagram},
        **_metadata(DG, OfDiagram(deps)),
    }


def _items(deps: RestDependencies) -> SignedInTable:
    rows: dict[str, Mapping[str, calls.Endpoint]] = {}
    for kind in (THREATS, *OTHERS):
        items = Items(deps, kind)
        nested = f"{TM}/{kind.resource}"
        if kind is THREATS:
            bulk = Bulk(items)
            # Before the address of one item, which any word would be.
            rows[f"{nested}/bulk"] = {"POST": bulk.create, "PUT": bulk.replace, "PATCH": bulk.merge}
        for base in (nested, f"/{kind.resource}") if kind is THREATS else (nested,):
            rows[base] = {"GET": items.list, "POST": items.create}
            rows[f"{base}/{{item_id}}"] = {
                "GET": items.read,
                "PUT": items.replace,
                "PATCH": items.patch,
                "DELETE": items.delete,
            }
        rows |= _metadata(f"{nested}/{{item_id}}", OfItem(deps, kind.kind))
    return rows


def _webhooks(deps: RestDependencies) -> SignedInTable:
    webhooks = WebhookCalls(deps)
    return {
        "/webhook/subscriptions": {"GET": webhooks.list, "POST": webhooks.subscribe},
        "/webhook/subscriptions/{subscription_id}": {"GET": webhooks.read, "DELETE": webhooks.unsubscribe},
        "/webhook/deliveries": {"GET": webhooks.deliveries},
        "/webhook/deliveries/{delivery_id}": {"GET": webhooks.delivery},
        "/webhook/deliveries/{delivery_id}/replay": {"POST": webhooks.replay},
    }


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
    config: Table = {"/config": {"GET": ClientConfig(deps.limits).read}}
    return {**front_table(deps.front), **config, **oauth_table(deps), **signed_in}


def _signed_in(deps: RestDependencies, endpoint: calls.Endpoint) -> Endpoint:
    async def answered(request: Request) -> Response:
        asked = call(request, deps)
        try:
            return await endpoint(asked)
        except (Problem, CellError) as raised:
            # None: a Problem that is its own cause keeps its frames, and with them the body, until the collector runs.
            raise invalid_as(asked.forms.invalid, raised) from None

    return answered


def application(deps: RestDependencies) -> ASGIApp:
    """The HTTP edge. CORS stands before the identity: a preflight carries no credential."""
    app: ASGIApp = starlette(table(deps))
    if deps.quotas != Quotas():
        app = Limits(app, deps.rates, deps.quotas, deps.now_ms)
    return AnswerHeaders(Cors(Identity(app, deps), deps.origins), deps.public_url)


def starlette(rows: Table) -> Starlette:
    app = Starlette(routes=routes(rows), exception_handlers=HANDLERS)
    # A redirect to the other spelling turns a client's POST into a GET; an unknown path is a 404.
    app.router.redirect_slashes = False
    return app


def routes(rows: Table) -> list[Route]:
    return [route(path, endpoints) for path, endpoints in rows.items()]


def route(path: str, endpoints: Mapping[str, Endpoint]) -> Route:
    """Answers every method: else GET …/threats/bulk would be taken for a threat with the id `bulk`."""
    made = Route(path, by_method(endpoints))
    made.methods = None
    return made


def allowed(endpoints: Collection[str]) -> list[str]:
    """What a 405 names, and the answer to OPTIONS."""
    return sorted({*endpoints, "OPTIONS", *(("HEAD",) if "GET" in endpoints else ())})


def by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    allow = ", ".join(allowed(endpoints))

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allow})
        answering = endpoints.get("GET" if request.method == "HEAD" else request.method)
        if answering is None:
            raise HTTPException(405, headers={"Allow": allow})
        return await answering(request)

    return endpoint
