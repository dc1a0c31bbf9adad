"""What a client proves itself by: its callback address and PKCE (AU5, AU6; RFC 6749 3.1.2, RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Mapping

from rest.problems import Problem

LOOPBACK = re.compile(
    r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?(?:[/?][A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?", re.ASCII
)
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def is_allowed(callback: str, listed: Collection[str], development: bool) -> bool:
    """Exactly as listed; in development any http loopback address, whose user is the developer."""
    return callback in listed or (development and LOOPBACK.fullmatch(callback) is not None)


def challenge(parameters: Mapping[str, str], excused: bool) -> str | None:
    """The S256 challenge of an authorization request; None only where a client is excused. Raises 400."""
    given = parameters.get("code_challenge")
    if given is None and "code_challenge_method" not in parameters and excused:
        return None
    if given is None or parameters.get("code_challenge_method") != "S256" or CHALLENGE.fullmatch(given) is None:
        raise Problem(400, "invalid_request", "PKCE with code_challenge_method=S256 is required.")
    return given


def is_proven(challenge: str | None, verifier: str | None) -> bool:
    """A verifier without a challenge proves that somebody took the challenge away."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    return VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(challenge, s256(verifier))


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
