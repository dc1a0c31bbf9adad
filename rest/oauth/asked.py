"""What a client asks for when it sends a browser to `/oauth2/authorize`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

DEFAULT_SCOPE = "openid email profile"


class Asked(BaseModel):
    """`callback`: None where our own answers the tokens (form C). `state` is raw (AU7)."""

    model_config = ConfigDict(strict=True, frozen=True)

    callback: str | None = None
    state: str | None = None
    client_id: str = ""
    challenge: str | None = None
    """None: PKCE was excused (AU5), or there is no client to prove itself (form C)."""
    scope: str = DEFAULT_SCOPE
