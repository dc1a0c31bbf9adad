"""Who somebody is by the word of a provider: the subject is the identity, all else is display (S27)."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from protocol.values import Caller, User
from rest.oauth.providers import OpenId, Provider
from rest.oauth.upstream_errors import denied

LONGEST_EMAIL = 254
LONGEST_NAME = 128
LONGEST_GROUP = 256
GROUPS_BYTES = 1_280
"""Of all group names together: the access token that carries them must fit into a cookie, of which browsers keep
4 096 bytes."""
EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")
LOCAL_PART = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

log = logging.getLogger(__name__)

Claims = Mapping[str, Any]


def lacks(openid: OpenId, claims: Claims) -> bool:
    """Whether the ID token leaves something out that the provider may tell at its userinfo endpoint."""
    groups = openid.groups_claim is not None and _at(claims, openid.groups_claim) is None
    return _email(claims) is None or _name(claims) is None or groups


def completed(claims: Claims, userinfo: Claims) -> Claims:
    """What is signed counts more. An address and whether it is verified belong together, so both are of one source."""
    source = claims if _email(claims) is not None else userinfo
    address = {name: source[name] for name in ("email", "email_verified") if name in source}
    rest = {name: value for name, value in {**userinfo, **claims}.items() if name not in ("email", "email_verified")}
    return {**rest, **address}


def caller(provider: Provider, openid: OpenId, claims: Claims, sid: str) -> Caller:
    """Raises NotVouched where the provider's own rules here keep this person out."""
    subject: str = claims["sub"]
    email = _email(claims)
    verified = email is not None and _is_verified(openid, claims)
    if openid.email_domains and not (verified and domain(email or "") in openid.email_domains):
        raise denied("the e-mail address is not verified, or not of a domain that is let in")
    address = email or _stand_in(provider.id, subject)
    name = _name(claims) or address.partition("@")[0]
    user = User(provider.id, subject, address, name[:LONGEST_NAME])
    return Caller(user, _groups(openid, claims), sid, email_verified=verified)


def domain(email: str) -> str:
    return email.rpartition("@")[2].lower()


def _email(claims: Claims) -> str | None:
    found = claims.get("email")
    if isinstance(found, str) and len(found) <= LONGEST_EMAIL and found.isprintable() and EMAIL.fullmatch(found):
        return found
    return None


def _is_verified(openid: OpenId, claims: Claims) -> bool:
    """Some providers write the truth in letters."""
    said = claims.get("email_verified")
    return openid.trusts_email if said is None else said is True or said == "true"


def _stand_in(provider: str, subject: str) -> str:
    """An address that leads nowhere (RFC 2606), for somebody whose provider tells none: every body has one."""
    local = subject if LOCAL_PART.fullmatch(subject) else hashlib.sha256(subject.encode()).hexdigest()[:16]
    return f"{local}@{provider}.invalid"


def _name(claims: Claims) -> str | None:
    for claim in ("name", "preferred_username", "nickname"):
        found = claims.get(claim)
        if isinstance(found, str) and found.strip() and found.isprintable():
            return found.strip()
    return None


def _groups(openid: OpenId, claims: Claims) -> tuple[str, ...]:
    named = dict.fromkeys(_group_names(openid, claims))
    kept: list[str] = []
    room = GROUPS_BYTES
    for name in named:
        # As it will stand in the token, which is ASCII.
        room -= len(name.encode("ascii", "backslashreplace")) + 3
        if room < 0:
            log.warning("somebody is in %d groups; only the first %d fit into a token", len(named), len(kept))
            break
        kept.append(name)
    return tuple(kept)


def _group_names(openid: OpenId, claims: Claims) -> Iterator[str]:
    found = _at(claims, openid.groups_claim) if openid.groups_claim is not None else None
    for name in [found] if isinstance(found, str) else found if isinstance(found, list) else []:
        if isinstance(name, str) and 0 < len(name) <= LONGEST_GROUP and name.isprintable():
            yield name


def _at(claims: Any, path: str) -> Any:
    """A claim by its name, or by a path with dots such as Keycloak's `realm_access.roles`; names may have dots, too."""
    if not isinstance(claims, Mapping):
        return None
    if path in claims:
        return claims[path]
    parts = path.split(".")
    ways = ((".".join(parts[:n]), ".".join(parts[n:])) for n in range(1, len(parts)))
    found = (_at(claims[name], rest) for name, rest in ways if name in claims)
    return next((value for value in found if value is not None), None)
