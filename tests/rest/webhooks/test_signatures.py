"""Signatures of deliveries (S63): as samples of the wiki check them, and as libraries for Standard Webhooks do."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from rest.webhooks.signatures import key, signed

BODY = '{"event_type":"threat.created","data":{"é":1}}'
PLAIN = "your-webhook-secret"
STANDARD = f"whsec_{base64.b64encode(b'k' * 32).decode()}"


def now_s() -> int:
    return int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize("secret", [PLAIN, STANDARD, "é€😀 and more"])
def test_S63_the_body_is_signed_with_the_secret_as_it_was_given(secret: str) -> None:
    expected = hmac.new(secret.encode(), BODY.encode(), hashlib.sha256).hexdigest()
    assert signed("id", 5, BODY, secret)["X-Webhook-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("secret", "theirs"), [(STANDARD, STANDARD), (PLAIN, f"whsec_{base64.b64encode(PLAIN.encode()).decode()}")]
)
def test_S63_libraries_for_standard_webhooks_take_it(secret: str, theirs: str) -> None:
    headers = dict(signed("msg-1", now_s(), BODY, secret))
    assert Webhook(theirs).verify(BODY, headers) == {"event_type": "threat.created", "data": {"é": 1}}


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY.replace("1", "2")},
        {"webhook-id": "msg-2"},
        {"webhook-timestamp": str(now_s() - 60)},
        {"secret": "another secret"},
        {"age": 400},
    ],
)
def test_S63_what_was_changed_or_is_old_is_refused(changed: dict[str, str]) -> None:
    at_s = now_s() - int(changed.get("age", 0))
    headers = {**signed("msg-1", at_s, BODY, changed.get("secret", PLAIN)), **changed}
    with pytest.raises(WebhookVerificationError):
        Webhook(base64.b64encode(PLAIN.encode()).decode()).verify(changed.get("body", BODY), headers)


def test_two_attempts_differ_in_the_time_and_not_in_the_id() -> None:
    first, second = signed("id", 5, BODY, PLAIN), signed("id", 6, BODY, PLAIN)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["X-Webhook-Signature"] == second["X-Webhook-Signature"]
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize(
    "rest", ["", "!!!", "a" * 7, base64.b64encode(b"k" * 23).decode(), base64.b64encode(b"k" * 65).decode()]
)
def test_a_standard_secret_that_is_none_is_refused(rest: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        key(f"whsec_{rest}")
