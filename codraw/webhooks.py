"""Webhooks as the settings want them: what people ask for over REST, and what delivers it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

from codraw import __version__
from codraw.deliveries import Deliveries, Pace
from codraw.sealing import Sealing
from codraw.settings import Settings
from codraw.stores import Stores
from collab.tasks import Tasks
from rest.dependencies import Webhooks
from rest.outbound import Resolver
from rest.webhooks.addresses import LOOPBACK, Policy
from rest.webhooks.delivery import Sender
from storage.outbox import SqlOutbox
from storage.trail import SqlTrail
from storage.webhooks import SqlSubscriptions


def asked_for(settings: Settings, stores: Stores, sealing: Sealing, now_ms: Callable[[], int]) -> Webhooks:
    return Webhooks(
        store=SqlSubscriptions(stores.database, now_ms),
        seal=sealing.seal,
        policy=policy(settings),
        most=settings.webhooks_per_user,
    )


def delivering(
    settings: Settings, stores: Stores, sealing: Sealing, now_ms: Callable[[], int], tasks: Tasks
) -> Deliveries:
    at_once = settings.webhook_requests_at_once
    return Deliveries(
        outbox=SqlOutbox(stores.database, now_ms),
        trail=SqlTrail(stores.database),
        sender=Sender(policy(settings), f"codraw/{__version__}", Resolver(at_once)),
        open_secret=sealing.open,
        tasks=tasks,
        now_ms=now_ms,
        # Nobody else can serve from a file: who comes after a kill need not wait for the dead one's turn to end.
        pace=Pace(stores.worker if settings.postgres else "", at_once, settings.webhook_days),
    )


def policy(settings: Settings) -> Policy:
    """Whoever tries webhooks on a machine of his own has the receiver there, too."""
    own = tuple(map(ip_network, settings.webhook_allow_private))
    return Policy(settings.webhook_http or settings.development, (*own, *(LOOPBACK if settings.development else ())))
