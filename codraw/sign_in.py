"""Signs a test user in at a running server, as a program of theirs would."""

from __future__ import annotations

import asyncio

from codraw.client import RestError, Server, Unintelligible, Unreachable

PATIENCE_S = 10.0


class SignInFailed(Exception):
    """The server is not there, or has no test provider."""


def access_token(url: str, user: str) -> str:
    """By the redirects of the authorization code flow, which end in the tokens. Raises SignInFailed."""
    try:
        return asyncio.run(_access_token(url, user))
    except RestError as refused:
        raise SignInFailed(f"{url} refused with {refused.status}: is it in development mode (--dev)?") from None
    except (Unreachable, Unintelligible) as error:
        raise SignInFailed(f"{error}.") from None


async def _access_token(url: str, user: str) -> str:
    server = await Server(url, timeout_s=PATIENCE_S).sign_in_as(user)
    return server.token or ""
