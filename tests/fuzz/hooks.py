"""Who asks, and what schemathesis must not do: end its own login, or have us call foreign addresses."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

from tests.fuzz.run import sign_in

URL = os.environ["CODRAW_FUZZ_URL"]
LOGOUTS = ("/me/logout", "/oauth2/logout")
NOWHERE = "http://127.0.0.1:1024/"
"""Nothing listens there."""


@schemathesis.auth(refresh_interval=None)
class Token:
    """One login for everything, and one of its own for each request that ends it."""

    def get(self, case: Any, context: Any) -> str:
        return os.environ["CODRAW_FUZZ_TOKEN"]

    def set(self, case: Any, data: str, context: Any) -> None:
        token = sign_in(URL, "fuzz") if case.operation.path in LOGOUTS else data
        case.headers["Authorization"] = f"Bearer {token}"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    is_subscription = case.operation.path == "/webhook/subscriptions" and isinstance(case.body, dict)
    if is_subscription and _is_address(case.body.get("url")):
        case.body = {**case.body, "url": NOWHERE}


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http:", "https:"))
