"""How the stores and sign-in providers are found that the settings name: what `codraw check` shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import time
from typing import NamedTuple

from codraw.health import SKEW_MS
from codraw.house import provider
from codraw.oidc import OidcProvider
from codraw.settings import Settings
from codraw.stores import Stores, open_stores
from storage.migrations.migrate import steps


class Finding(NamedTuple):
    """`state`: ok, degraded, or down: it cannot be served so."""

    part: str
    state: str
    what: str


async def inspected(settings: Settings) -> list[Finding]:
    """Changes nothing but the schema, and the epochs of a store that lost time. Raises as `open_stores` does."""
    stores = await open_stores(settings, "check")
    try:
        return [finding async for finding in _found(settings, stores)]
    finally:
        await stores.close()


async def _found(settings: Settings, stores: Stores) -> AsyncIterator[Finding]:
    yield Finding("store", "ok", f"{settings.store_place} (durability {settings.durability_held})")
    yield Finding("schema", "ok", steps()[-1].name.removesuffix(".sql"))
    yield Finding("bus", "ok" if stores.bus.healthy() else "degraded", settings.bus_place)
    apart = abs(stores.offset_ms) > SKEW_MS
    yield Finding("clock", "degraded" if apart else "ok", f"the store's is {stores.offset_ms} ms ahead")
    if stores.roll is not None:
        objection = await stores.roll.objection()
        yield Finding(
            "workers", "down" if objection else "ok", objection or f"{stores.roll.alive} serve this store now"
        )
    for entry in settings.oidc_providers:
        yield await _asked(entry, settings.development)


async def _asked(entry: OidcProvider, development: bool) -> Finding:
    """A provider that is away keeps its people from signing in, and nobody else from anything."""
    # Here for the same reason as in rest/oauth/server.py: a check of a server without providers needs none of it.
    from rest.oauth.upstream import Upstream  # noqa: PLC0415
    from rest.oauth.upstream_errors import NotVouched  # noqa: PLC0415

    asked = provider(entry)
    assert asked.openid is not None  # noqa: S101 - a configured one has it
    try:
        await Upstream(asked, asked.openid, lambda: round(time() * 1_000), development).reached()
    except NotVouched as not_vouched:
        return Finding("sign-in", "degraded", f"{entry.id}: {not_vouched.why}")
    return Finding("sign-in", "ok", f"{entry.id}: {entry.issuer}")
