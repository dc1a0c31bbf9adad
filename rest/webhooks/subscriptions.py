"""Webhooks over REST: everybody's own subscriptions and deliveries, and nobody else's."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AfterValidator, Field
from starlette.responses import Response

from protocol.dialects.times import rfc3339
from protocol.values import Role, ThreatModelId
from rest import calls, rights, views
from rest.answers import answer, created, nothing
from rest.bodies import Body, Fields, Name, check, json_object, without_server_fields
from rest.calls import Call
from rest.dependencies import RestDependencies, Webhooks
from rest.paging import listing, page
from rest.ports import Page, but
from rest.problems import INVALID, Problem, bad_field, conflict, not_found
from rest.webhooks import signatures
from rest.webhooks.addresses import BadAddress, target
from rest.webhooks.events import NAMES
from rest.webhooks.ports import (
    Delivery,
    DeliveryId,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
)

SERVER_OWNED = ("status", "owner_id", "last_error")


def _known(name: str) -> str:
    if name not in NAMES:
        raise ValueError("is no event")
    return name


class SubscriptionFields(Fields):
    name: Name
    url: Annotated[str, Field(min_length=1, max_length=2_048)]
    events: Annotated[list[Annotated[str, AfterValidator(_known)]], Field(min_length=1, max_length=64)]
    secret: Annotated[str, Field(min_length=8, max_length=256)]


class WebhookCalls:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps

    @property
    def hooks(self) -> Webhooks:
        found = self.deps.webhooks
        assert found is not None  # noqa: S101 - routes are made before a house has any
        return found

    async def subscribe(self, call: Call) -> Response:
        body = await json_object(call.request)
        new = self._read(call, body)
        if new.threat_model_id is not None:
            await rights.on_model(self.deps, call, new.threat_model_id, Role.READER)
        made = await self.hooks.store.subscribe(new, self.hooks.most)
        if made is None:
            raise Problem(INVALID, "limit_exceeded", f"You have {self.hooks.most} subscriptions, which is the most.")
        return created(subscription_form(made), call.here(made.id))

    async def list(self, call: Call) -> Response:
        asked = page(call.request)
        rows, total = await self.hooks.store.subscriptions(call.caller.id, asked)
        return listing("subscriptions", [subscription_form(row) for row in rows], total, asked)

    async def read(self, call: Call) -> Response:
        return answer(subscription_form(await self._own(call, SubscriptionId(call.id("subscription_id")))))

    async def unsubscribe(self, call: Call) -> Response:
        if not await self.hooks.store.unsubscribe(call.caller.id, SubscriptionId(call.id("subscription_id"))):
            raise not_found()
        return nothing()

    async def deliveries(self, call: Call) -> Response:
        asked = _newest_first(call, page(call.request))
        named = call.query.get("subscription_id")
        of = None if named is None else SubscriptionId(calls.uuid(named, "subscription_id"))
        if of is not None:
            await self._own(call, of)
        rows, total = await self.hooks.store.deliveries(call.caller.id, of, asked)
        return listing("deliveries", [delivery_form(row) for row in rows], total, asked)

    async def delivery(self, call: Call) -> Response:
        return answer(delivery_form(await self._delivery(call)))

    async def replay(self, call: Call) -> Response:
        delivery = await self._delivery(call)
        subscription = await self._own(call, delivery.subscription_id)
        if subscription.status is not SubscriptionStatus.ACTIVE:
            raise conflict("The subscription is not active.")
        again = await self.hooks.store.replay(call.caller.id, delivery.id)
        if again is None:
            raise not_found()
        return answer(delivery_form(again), 202)

    def _read(self, call: Call, body: Body) -> Subscription:
        """Raises 400 and 422."""
        named = body.get("threat_model_id")
        if not (named is None or isinstance(named, str)):
            raise bad_field("threat_model_id", "must be a UUID", status=400, error="invalid_id")
        given = check(SubscriptionFields, without_server_fields(body, *SERVER_OWNED))
        try:
            target(given.url, self.hooks.policy)
        except BadAddress as bad:
            raise bad_field("url", str(bad)) from None
        try:
            signatures.key(given.secret)
        except ValueError as bad:
            raise bad_field("secret", str(bad)) from None
        return Subscription(
            id=SubscriptionId(str(uuid.uuid4())),
            owner=call.caller,
            name=given.name,
            url=given.url,
            events=tuple(dict.fromkeys(given.events)),
            sealed_secret=self.hooks.seal(given.secret),
            threat_model_id=None if named is None else ThreatModelId(calls.uuid(named, "threat_model_id")),
        )

    async def _own(self, call: Call, id: SubscriptionId) -> Subscription:
        found = await self.hooks.store.subscription(call.caller.id, id)
        if found is None:
            raise not_found()
        return found

    async def _delivery(self, call: Call) -> Delivery:
        found = await self.hooks.store.delivery(call.caller.id, DeliveryId(call.id("delivery_id")))
        if found is None:
            raise not_found()
        return found


def _newest_first(call: Call, asked: Page) -> Page:
    """Unless asked otherwise: of thousands the latest are what one wants to see."""
    if "sort" not in call.query:
        return but(asked, sort="created_at", descending=True)
    if asked.sort != "created_at":
        raise bad_field("sort", "must be created_at", status=400, error="invalid_input")
    return asked


def subscription_form(row: Subscription) -> views.View:
    return {
        "id": row.id,
        "name": row.name,
        "url": row.url,
        "events": row.events,
        "threat_model_id": row.threat_model_id,
        "status": row.status.value,
        "owner_id": row.owner.id,
        "created_at": rfc3339(row.created_at_ms),
        "modified_at": rfc3339(row.modified_at_ms),
        "last_error": row.last_error,
    }


def delivery_form(row: Delivery) -> views.View:
    return {
        "id": row.id,
        "subscription_id": row.subscription_id,
        "event_type": row.event_type,
        "status": row.status.value,
        "attempts": row.attempts,
        "created_at": rfc3339(row.created_at_ms),
        "delivered_at": None if row.delivered_at_ms is None else rfc3339(row.delivered_at_ms),
        "last_error": row.last_error,
    }
