"""How a receiver knows that a delivery is ours, whole and fresh (S63): two signatures, one of them with the time."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

PREFIX = "whsec_"
"""Of a secret as the Standard Webhooks spell it: base64 of the key follows."""
KEY_BYTES = (24, 64)


def key(secret: str) -> bytes:
    """Of the Standard Webhooks signature: what follows the prefix, else the text itself. Raises ValueError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {PREFIX} must be base64") from None
    least, most = KEY_BYTES
    if not least <= len(found) <= most:
        raise ValueError(f"what follows {PREFIX} must be base64 of {least} to {most} bytes")
    return found


def signed(id: str, at_s: int, body: str, secret: str) -> Mapping[str, str]:
    """The headers of one attempt. `X-Webhook-Signature` is keyed with the secret's own text, prefix and all."""
    plain = hmac.digest(secret.encode(), body.encode(), "sha256").hex()
    return {
        "X-Webhook-Signature": f"sha256={plain}",
        "webhook-id": id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": Webhook(key(secret)).sign(id, datetime.fromtimestamp(at_s, UTC), body),
    }
