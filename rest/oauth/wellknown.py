"""What programs find out about signing in here by themselves (RFC 8414, RFC 9728, OpenID Connect Discovery)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rest.answers import answer
from rest.dependencies import RestDependencies
from rest.oauth.asked import DEFAULT_SCOPE

KEPT = {"Cache-Control": "public, max-age=300"}
"""A key is published long before it signs, so that nobody has to ask more often."""
CLAIMS = ("sub", "iss", "aud", "exp", "iat", "email", "email_verified", "name", "groups")


class WellKnown:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    async def authorization_server(self, request: Request) -> Response:
        return answer(self._server(request), headers=KEPT)

    async def openid_configuration(self, request: Request) -> Response:
        """For programs that look only here. We issue no ID tokens: who somebody is, userinfo tells."""
        more = {
            "userinfo_endpoint": f"{self.deps.base(request)}/oauth2/userinfo",
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.deps.tokens.algorithm],
            "claims_supported": CLAIMS,
        }
        return answer({**self._server(request), **more}, headers=KEPT)

    async def protected_resource(self, request: Request) -> Response:
        base = self.deps.base(request)
        found = {
            "resource": base,
            "resource_name": "codraw",
            "authorization_servers": [base],
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "bearer_methods_supported": ["header"],
            "scopes_supported": DEFAULT_SCOPE.split(),
        }
        return answer(found, headers=KEPT)

    async def jwks(self, _: Request) -> Response:
        """Of every key that verifies here. A secret is none of them."""
        return answer({"keys": [key.jwk for key in self.deps.tokens.keys if key.jwk]}, headers=KEPT)

    def _server(self, request: Request) -> dict[str, Any]:
        base = self.deps.base(request)
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}/.well-known/jwks.json",
            "revocation_endpoint": f"{base}/oauth2/revoke",
            "introspection_endpoint": f"{base}/oauth2/introspect",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "scopes_supported": DEFAULT_SCOPE.split(),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }
