"""What webhooks ask of the store, and the values that cross there. Docstrings are the rules of the contract suite.

Every method raises `collab.ports.StoreUnavailable` when the store cannot be reached. Times are Unix milliseconds of the
store's clock. What is claimed is claimed for `hold_ms`: whoever dies over it is followed by another.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NewType, Protocol

import msgspec

from protocol.values import Caller, DiagramId, Epoch, ThreatModelId, UserId
from rest.ports import Page

SubscriptionId = NewType("SubscriptionId", str)
DeliveryId = NewType("DeliveryId", str)

UPDATED = "diagram.updated"
"""The event that changes of cells make, too, which the trail does not hold."""
EVERY_MS = 5_000
"""Edits of a diagram make no more than one event in so long."""


class SubscriptionStatus(StrEnum):
    PENDING = "pending_verification"
    ACTIVE = "active"
    FAILED = "failed"


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Subscription(msgspec.Struct, frozen=True):
    """`owner`: with the groups of the token that made it. `threat_model_id` None: all that the owner may read.

    `sealed_secret`: as the store may see it. `last_error`: why the last challenge was not met.
    """

    id: SubscriptionId
    owner: Caller
    name: str
    url: str
    events: tuple[str, ...]
    sealed_secret: str
    threat_model_id: ThreatModelId | None = None
    status: SubscriptionStatus = SubscriptionStatus.PENDING
    created_at_ms: int = 0
    modified_at_ms: int = 0
    last_error: str | None = None


class Event(msgspec.Struct, frozen=True):
    """Something that happened. `key` names it among all; `body` is what every delivery of it sends."""

    key: str
    type: str
    threat_model_id: ThreatModelId
    at_ms: int
    body: str


class Delivery(msgspec.Struct, frozen=True):
    """One event for one subscription, however many attempts it takes."""

    id: DeliveryId
    subscription_id: SubscriptionId
    event_type: str
    status: DeliveryStatus
    attempts: int
    created_at_ms: int
    delivered_at_ms: int | None = None
    last_error: str | None = None


class Attempt(msgspec.Struct, frozen=True):
    """A delivery that was claimed, for the `number`th time, from 1 on. `readable`: whether the owner may still read the
    threat model, or could when it was deleted."""

    delivery: DeliveryId
    number: int
    subscription: Subscription
    event_type: str
    body: str
    readable: bool
    until_ms: int


class Challenge(msgspec.Struct, frozen=True):
    """A subscription whose address is to be asked, for the `number`th time, from 1 on."""

    subscription: Subscription
    number: int
    until_ms: int


class Moved(msgspec.Struct, frozen=True):
    """A diagram whose cells have changed, where it stands now, and when it was changed last."""

    diagram: DiagramId
    threat_model_id: ThreatModelId
    epoch: Epoch
    vector: int
    at_ms: int


class Moves(msgspec.Struct, frozen=True):
    """`as_of_ms`: when moves were told last; they are told once."""

    as_of_ms: int
    moved: tuple[Moved, ...] = ()


class Wanted(msgspec.Struct, frozen=True):
    """Whether there is any subscription, an active one, and an active one that hears of edits."""

    any: bool = False
    active: bool = False
    edits: bool = False


class Subscriptions(Protocol):
    """What people do. Ids are looked up among the owner's own: another's are unknown."""

    async def subscribe(self, new: Subscription, most: int) -> Subscription | None:
        """Times are the store's; its challenge is due at once. None: the owner has `most` already."""

    async def subscription(self, owner: UserId, id: SubscriptionId) -> Subscription | None: ...

    async def subscriptions(self, owner: UserId, page: Page) -> tuple[Sequence[Subscription], int]: ...

    async def unsubscribe(self, owner: UserId, id: SubscriptionId) -> bool:
        """Nothing of it is delivered or shown any more. False: unknown."""

    async def delivery(self, owner: UserId, id: DeliveryId) -> Delivery | None: ...

    async def deliveries(
        self, owner: UserId, of: SubscriptionId | None, page: Page
    ) -> tuple[Sequence[Delivery], int]: ...

    async def replay(self, owner: UserId, id: DeliveryId) -> Delivery | None:
        """Due at once and from the first attempt on, whatever became of it, under the same id. None: unknown."""


class Outbox(Protocol):
    """What one worker does for all. Of several that try the same, one succeeds."""

    async def wanted(self) -> Wanted: ...

    async def take_turn(self, worker: str, hold_ms: int) -> bool:
        """Whether it is this worker's turn, for `hold_ms`; as long as it asks it keeps it. Nothing hangs on it: it
        saves the others the work."""

    async def told(self) -> int:
        """Up to which serial of the trail all changes were told."""

    async def tell(self, after: int, upto: int, events: Sequence[Event]) -> bool:
        """Writes one delivery for each event and each active subscription that wants it, was active when it happened,
        and whose owner may read the threat model; and that all is told up to `upto`, in one transaction. False, and
        nothing is written: it was not told up to `after`."""

    async def moves(self) -> Moves:
        """Diagrams with operations that were not told; none within EVERY_MS of the last time."""

    async def tell_moves(self, moves: Moves, events: Sequence[Event]) -> bool:
        """As `tell`. False: they were told meanwhile."""

    async def claim(self, most: int, hold_ms: int) -> Sequence[Attempt]:
        """Deliveries that are due, the oldest of each active subscription that has none under way."""

    async def delivered(self, attempt: Attempt) -> None: ...

    async def not_delivered(self, attempt: Attempt, why: str, again_in_ms: int | None) -> None:
        """None: it has failed."""

    async def challenges(self, most: int, hold_ms: int) -> Sequence[Challenge]: ...

    async def verified(self, challenge: Challenge) -> None:
        """It is active: what happens from now on is delivered."""

    async def not_verified(self, challenge: Challenge, why: str, again_in_ms: int | None) -> None:
        """None: it has failed."""

    async def forget(self, before_ms: int) -> int:
        """Deliveries that are older, and those of subscriptions that are gone; how many rows went."""
