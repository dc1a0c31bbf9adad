"""Keys of access tokens: each is for one algorithm, and of a pair everybody may read the public half (S20, S24)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

SECRET = "HS256"  # noqa: S105 - an algorithm, not a secret
RSA = "RS256"
CURVE = "ES256"
SHORTEST_SECRET_BYTES = 32

MEMBERS = {RSA: ("e", "kty", "n"), CURVE: ("crv", "kty", "x", "y")}
"""What a public key is made of (RFC 7638 3.2)."""


class UnfitKey(ValueError):
    """No key for tokens; the text says why, after the name of the setting, and shows nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """`signs` is None for a key that only verifies. `jwk`: the public half (RFC 7517); a secret has none."""

    algorithm: str
    verifies: Any = field(repr=False)
    signs: Any = field(default=None, repr=False)
    jwk: Mapping[str, str] | None = None

    @property
    def kid(self) -> str | None:
        return None if self.jwk is None else self.jwk["kid"]

    def fits(self, header: Mapping[str, Any]) -> bool:
        """Whether a token may be signed with this. Its header chooses among our keys, and brings none of its own."""
        return header.get("alg") == self.algorithm and (self.jwk is None or header.get("kid") == self.kid)


def shared(secret: bytes) -> Key:
    """Whoever can verify with it can sign with it. Raises UnfitKey."""
    if len(secret) < SHORTEST_SECRET_BYTES:
        raise UnfitKey(f"is shorter than {SHORTEST_SECRET_BYTES} bytes.")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except InvalidKeyError:
        raise UnfitKey("is a key pair or a certificate, and no secret.") from None
    return Key(SECRET, secret, secret)


def pair(algorithm: str, public: Any, private: Any = None) -> Key:
    """Of the halves of an RSA key, or of one on the curve P-256, as `cryptography` reads them."""
    maker = RSAAlgorithm if algorithm == RSA else ECAlgorithm
    found = maker.to_jwk(public, as_dict=True)
    members = {name: str(found[name]) for name in MEMBERS[algorithm]}
    jwk = {**members, "use": "sig", "alg": algorithm, "kid": thumbprint(members)}
    return Key(algorithm, public, private, jwk)


def thumbprint(members: Mapping[str, str]) -> str:
    """The same for the same key on every worker, without being told (RFC 7638)."""
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
