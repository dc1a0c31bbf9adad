"""Signs a test user in at a running server, as a browser would."""

from __future__ import annotations

import json
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

PATIENCE_S = 10.0


class SignInFailed(Exception):
    """The server is not there, or has no test provider."""


def access_token(url: str, user: str) -> str:
    """By the redirects of the authorization code flow, which end in the tokens. Raises SignInFailed."""
    if not url.startswith(("http://", "https://")):
        raise SignInFailed(f"{url} is no address of a server: it must start with http:// or https://.")
    question = urlencode({"idp": "test", "login_hint": user})
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    try:
        with browser.open(f"{url.rstrip('/')}/oauth2/authorize?{question}", timeout=PATIENCE_S) as answer:
            token = json.load(answer)["access_token"]
    except HTTPError as refused:
        raise SignInFailed(f"{url} refused with {refused.code}: is it in development mode (--dev)?") from None
    except (URLError, OSError) as error:
        raise SignInFailed(f"{url} does not answer ({getattr(error, 'reason', error)}).") from None
    except (HTTPException, ValueError, KeyError, TypeError):
        raise SignInFailed(f"{url} does not answer as codraw does.") from None
    return str(token)
