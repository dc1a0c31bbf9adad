"""Secrets that the server has to know again, hidden from whoever reads the store alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

LABEL = b"codraw sealed secret\0"
"""So that the key is none that anything else uses."""


class Sealing:
    """With the first of `keys`; whatever one of them sealed is opened."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._box = MultiFernet([Fernet(_key(key)) for key in keys])

    def seal(self, secret: str) -> str:
        return self._box.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """None: none of the keys has sealed it."""
        try:
            return self._box.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None


def _key(secret: bytes) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(LABEL + secret).digest())
