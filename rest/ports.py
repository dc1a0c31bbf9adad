"""What the HTTP edge asks of the store, beside `collab.ports`. Docstrings are the rules of the contract suites.

Every method raises `collab.ports.StoreUnavailable` when the store cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NewType, Protocol, TypeAlias, TypeVar

import msgspec

from collab.ports import Member, Session
from protocol.intents import Edit, Redo, Replace, Undo
from protocol.notices import Accepted, Rejected
from protocol.values import Caller, Cell, DiagramId, Epoch, Role, RoleAt, ThreatModelId, User, UserId

ItemId = NewType("ItemId", str)
Row = TypeVar("Row", bound=msgspec.Struct)


def but(row: Row, **changes: Any) -> Row:
    """The row with other values in these fields."""
    return msgspec.structs.replace(row, **changes)


class Entry(msgspec.Struct, frozen=True):
    """One authorization entry: a user or a group, and a role.

    `provider_id` is None for a user given only by e-mail who has not signed in yet: it is bound at that person's first
    sign-in with the address verified. A group has its name in `name`; `provider` None means any configured provider,
    and the group `everyone` is everybody who is signed in.
    """

    principal_type: str
    role: Role
    provider: str | None = None
    provider_id: str | None = None
    email: str | None = None
    name: str | None = None


class ThreatModel(msgspec.Struct, frozen=True):
    """`fields`: everything else that the client may set and gets back: name, description, framework … (RE7)."""

    id: ThreatModelId
    owner: User
    created_by: User
    created_at_ms: int
    modified_at_ms: int
    fields: Mapping[str, Any]
    entries: tuple[Entry, ...]
    metadata: Mapping[str, str]
    version: int = 1


class Counts(msgspec.Struct, frozen=True):
    """What lies below a threat model, in the order of ItemKind after the diagrams."""

    diagrams: int = 0
    threats: int = 0
    assets: int = 0
    documents: int = 0
    repositories: int = 0
    notes: int = 0


class DiagramRow(msgspec.Struct, frozen=True):
    """A diagram without its cells. `fields`: name, type, description, image, color_palette, assets … (RE7)."""

    id: DiagramId
    threat_model_id: ThreatModelId
    created_at_ms: int
    modified_at_ms: int
    fields: Mapping[str, Any]
    metadata: Mapping[str, str]
    vector: int = 0
    epoch: Epoch = Epoch("")
    version: int = 1
    """Of fields and metadata; cells have the vector."""
    fields_at_ms: int = 0
    """When these were last written; `modified_at_ms` counts operations, too."""


class NewDiagram(msgspec.Struct, frozen=True):
    """`state_hash` belongs to the canonical `cells`, which are the snapshot at vector 0 (VEC1)."""

    id: DiagramId
    threat_model_id: ThreatModelId
    epoch: Epoch
    fields: Mapping[str, Any]
    cells: tuple[Cell, ...]
    state_hash: int
    metadata: Mapping[str, str] = {}


class Item(msgspec.Struct, frozen=True):
    """A member of a nested collection: a threat …"""

    id: ItemId
    threat_model_id: ThreatModelId
    created_at_ms: int
    modified_at_ms: int
    fields: Mapping[str, Any]
    metadata: Mapping[str, str]
    version: int = 1


class ItemKind(StrEnum):
    THREAT = "threat"
    ASSET = "asset"
    DOCUMENT = "document"
    REPOSITORY = "repository"
    NOTE = "note"


RANKS: Mapping[str, Sequence[str]] = {
    "severity": ("unknown", "informational", "low", "medium", "high", "critical"),
    "priority": ("deferred", "low", "medium", "high", "immediate"),
    "status": (
        "open",
        "confirmed",
        "deferred",
        "mitigation_planned",
        "mitigation_in_progress",
        "verification_pending",
        "mitigated",
        "resolved",
        "accepted",
        "closed",
        "false_positive",
    ),
}
"""Fields of items whose words have an order, from the least to the greatest: that of TMI's app, which wants them
sorted so. What is not there, or is another word, comes before all of them."""
SCORE = "score"
"""A number by which items are sorted."""


class Page(msgspec.Struct, frozen=True):
    """`sort` names a field of the row (created_at, modified_at, name; of items also those of RANKS and SCORE); ties
    are broken by id."""

    limit: int = 20
    offset: int = 0
    sort: str = "created_at"
    descending: bool = False


class Between(msgspec.Struct, frozen=True):
    """After the one moment and before the other, in Unix milliseconds; None: however early, however late."""

    after_ms: int | None = None
    before_ms: int | None = None


class Filters(msgspec.Struct, frozen=True):
    """Of GET /threat_models. A text is a part of what it is named after, in any case: of the address of the owner (or
    all of the owner's id) and of the reviewer. `status`: one of. `reviewed`: whether there is a reviewer.
    `status_updated` counts in whole seconds. Of description and issue_uri the database knows the cases of letters: one
    of PostgreSQL with locale C only of A to Z."""

    name: str | None = None
    description: str | None = None
    issue_uri: str | None = None
    owner: str | None = None
    status: tuple[str, ...] = ()
    security_reviewer: str | None = None
    reviewed: bool | None = None
    created: Between = Between()
    modified: Between = Between()
    status_updated: Between = Between()


class ItemFilters(msgspec.Struct, frozen=True):
    """Of lists of items: `name` contains (any case), the others are one of these words (any case); an empty tuple lets
    all through. `threat_type`: it has all of these. `mitigated`: nothing said counts as false."""

    name: str | None = None
    severity: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    diagram_id: tuple[str, ...] = ()
    threat_type: tuple[str, ...] = ()
    mitigated: bool | None = None


ANY_ITEM = ItemFilters()


class Changed(StrEnum):
    """What became of a conditional write."""

    DONE = "done"
    STALE = "stale"
    GONE = "gone"


class Action(StrEnum):
    """What became of an object; a session starts and ends."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    STARTED = "started"
    ENDED = "ended"


class Door(StrEnum):
    """By which way somebody came in; the server itself needs none."""

    REST = "rest"
    SOCKET = "socket"
    SYSTEM = "system"


class Cause(msgspec.Struct, frozen=True):
    """Who makes a change, and by which door. The rest is said where the method that changes does not tell it already:
    metadata are changed by changing their holder. `detail`: JSON, small."""

    by: User | None = None
    door: Door = Door.SYSTEM
    action: Action | None = None
    object_type: str | None = None
    detail: Mapping[str, Any] = {}


BY_ITSELF = Cause()
"""Nobody asked for it."""
Details: TypeAlias = Mapping[ItemId, Mapping[str, Any]]
NO_DETAILS: Details = {}


class Change(msgspec.Struct, frozen=True):
    """One line of the trail: who did what, when, and by which door.

    `object_type`: threat_model, diagram, an ItemKind, metadata and authorization (`object_id` is their holder's id),
    session. `serial` counts all changes of the store in the order of their commits; a change of cells, which the
    diagram's own log keeps, has 0. `id` is unique within what is below one threat model. `update_vector`: where the
    diagram stood.
    """

    serial: int
    at_ms: int
    by: User | None
    action: Action
    object_type: str
    object_id: str
    threat_model_id: ThreatModelId
    diagram_id: DiagramId | None = None
    door: Door = Door.REST
    update_vector: int | None = None
    detail: Mapping[str, Any] = {}
    id: str = ""


class ChangesWanted(msgspec.Struct, frozen=True):
    """Which lines of a trail; what is empty asks for nothing. From `since_ms` on, before `until_ms`."""

    actions: tuple[str, ...] = ()
    object_types: tuple[str, ...] = ()
    by: UserId | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Trail(Protocol):
    """What was changed, kept for longer than what it speaks of. A change is written in the transaction that makes it:
    neither is there without the other."""

    async def since(self, serial: int, limit: int) -> Sequence[Change]:
        """The first changes above `serial`, of all threat models, in the order of their commits: whoever goes on from
        the last one that was returned misses none, however many commit at once. Changes of cells are not among them."""

    async def newest(self) -> int:
        """The highest serial; 0: nothing was ever changed."""

    async def of_threat_model(
        self, id: ThreatModelId, wanted: ChangesWanted, page: Page
    ) -> tuple[Sequence[Change], int]:
        """Newest first, and how many there are: of the threat model and all that is or was below it, but for changes
        of cells. `page.sort` is not looked at."""

    async def of_diagram(self, id: DiagramId, wanted: ChangesWanted, page: Page) -> tuple[Sequence[Change], int]:
        """The same of one diagram and its sessions, with each change of its cells that its log still has."""


class Models(Protocol):
    """Threat models, their diagrams, collections, metadata and rights. Whatever changes something writes one line of
    the trail with it, for each object (`cause`)."""

    async def create(self, model: ThreatModel, cause: Cause = BY_ITSELF) -> ThreatModel:
        """Times are the store's. Entries by e-mail of one known user are bound to that user at once."""

    async def read(self, id: ThreatModelId) -> ThreatModel | None: ...

    async def role(self, caller: Caller, id: ThreatModelId) -> Role | None:
        """The highest by owner field, user entry, groups of the token, `everyone`; None: no such threat model."""

    async def readable(
        self, caller: Caller, filters: Filters, page: Page
    ) -> tuple[Sequence[tuple[ThreatModel, Counts]], int]:
        """What the caller may read, and how many there are in all."""

    async def counts(self, id: ThreatModelId) -> Counts: ...

    async def change(self, model: ThreatModel, cause: Cause = BY_ITSELF) -> Changed:
        """Writes fields, owner, entries and metadata if `model.version` still stands, and raises it. Where owner or
        entries differ, raises acl_version of every diagram in the same transaction (S47)."""

    async def delete(
        self, id: ThreatModelId, cause: Cause = BY_ITSELF, version: int | None = None
    ) -> Sequence[DiagramId] | None:
        """With everything below it; its diagrams count as deleted (acl_version raised), and are returned. Their live
        sessions end. None: nothing was deleted, since it has another version than the one that is named."""

    async def known_users(self, email: str) -> Sequence[User]:
        """People who signed in with this address verified."""

    async def create_diagram(self, new: NewDiagram, cause: Cause = BY_ITSELF) -> DiagramRow | None:
        """Head, snapshot at vector 0 and row in one transaction; None: no such threat model."""

    async def diagram(self, id: DiagramId) -> DiagramRow | None:
        """With the head's vector and epoch; None: unknown or deleted."""

    async def diagrams(self, id: ThreatModelId, page: Page) -> tuple[Sequence[DiagramRow], int]: ...

    async def readable_diagrams(self, caller: Caller) -> Sequence[DiagramId]:
        """All diagrams of all threat models that the caller may read."""

    async def change_diagram(
        self, row: DiagramRow, cause: Cause = BY_ITSELF, at: tuple[int, Epoch] | None = None
    ) -> Changed:
        """Writes fields and metadata if `row.version` still stands, and raises it; the vector does not move (VEC3).
        `at`: only while the head stands at this vector and epoch (RE12)."""

    async def delete_diagram(
        self, id: DiagramId, cause: Cause = BY_ITSELF, at: tuple[int, Epoch] | None = None
    ) -> Changed:
        """Marks the head deleted and raises acl_version. Its live session ends. `at`: only while it stands there."""

    async def create_items(
        self, kind: ItemKind, items: Sequence[Item], cause: Cause = BY_ITSELF
    ) -> Sequence[Item] | None:
        """All of them, in one threat model; their times are the store's. None: no such threat model."""

    async def item(self, kind: ItemKind, id: ItemId) -> Item | None: ...

    async def items(
        self, kind: ItemKind, id: ThreatModelId, page: Page, filters: ItemFilters = ANY_ITEM
    ) -> tuple[Sequence[Item], int]: ...

    async def readable_items(
        self, caller: Caller, kind: ItemKind, page: Page, filters: ItemFilters = ANY_ITEM
    ) -> tuple[Sequence[Item], int]:
        """Of all threat models that the caller may read, and how many there are in all."""

    async def change_items(
        self, kind: ItemKind, items: Sequence[Item], cause: Cause = BY_ITSELF, details: Details = NO_DETAILS
    ) -> Changed:
        """Writes fields and metadata of all of them, in one threat model, if the version of each still stands, and
        raises it; else of none. `details`: what the line of each tells beside the cause."""

    async def delete_item(self, kind: ItemKind, item: Item, cause: Cause = BY_ITSELF) -> Changed:
        """If its version still stands."""


class Code(msgspec.Struct, frozen=True):
    """What an authorization code was issued for. `challenge` is None where PKCE was excused (AU5)."""

    caller: Caller
    client_id: str
    redirect_uri: str
    challenge: str | None
    scope: str


class Refresh(msgspec.Struct, frozen=True):
    """What a refresh token stands for. `since_ms`: when this person signed in; 0: it was not noted, and is
    taken for the time of the first rotation (AU20)."""

    caller: Caller
    scope: str
    client_id: str = ""
    since_ms: int = 0


class Accounts(Protocol):
    """People who signed in, their logins, codes and refresh tokens. Secrets are stored hashed."""

    async def remember(self, caller: Caller) -> None:
        """Notes the person; binds authorization entries that name only this e-mail address, if it is verified."""

    async def start_login(self, sid: str, caller: Caller) -> bool:
        """False: this account is disabled, and the login does not begin (AU12)."""

    async def raise_expiry(self, sid: str, access_expires_at_ms: int) -> None:
        """The newest access token of a login lives until then (AU11)."""

    async def end_login(self, sid: str) -> None:
        """Its refresh tokens, codes and access tokens are worth nothing from now on."""

    async def end_login_of(self, refresh_token: str) -> None:
        """The same for the login of this token, whether it was used or not; what is none ends nothing."""

    async def ended(self, sid: str) -> bool:
        """Unknown counts as ended."""

    async def issue_code(self, code: str, what: Code, ttl_ms: int) -> None: ...

    async def redeem_code(self, code: str) -> Code | None:
        """Once; a second use returns None and ends the login it made (AU4)."""

    async def issue_refresh(self, token: str, what: Refresh, ttl_ms: int) -> None: ...

    async def rotate_refresh(
        self, token: str, successor: str, ttl_ms: int, grace_ms: int
    ) -> tuple[Refresh, str] | None:
        """The successor that now stands: the given one, or within `grace_ms` of the first rotation the same as then, or
        what that has led to (AU8). None: unknown, or too far behind. Later re-use ends the login, too."""

    async def refresh_state(self, token: str) -> tuple[Refresh, int] | None:
        """What an unused token of a login that stands is good for, and until when (Unix ms); nothing is used up."""


class Viewed(Protocol):
    """A diagram as it stands; `cells` in order."""

    @property
    def epoch(self) -> Epoch: ...
    @property
    def vector(self) -> int: ...
    @property
    def cells(self) -> Sequence[Cell]: ...
    @property
    def state_hash(self) -> int: ...


class LiveDiagrams(Protocol):
    """The one door to the cells (`collab.rooms.Rooms`)."""

    async def found(self, cells: Sequence[Any], *, free_ids: bool) -> tuple[tuple[Cell, ...], int]:
        """Founding cells, judged and canonical, and their state hash. Raises CellError."""

    async def view(self, diagram: DiagramId) -> Viewed | None:
        """Never older than a receipt somebody holds (VEC7); None: no such diagram."""

    async def submit(
        self, diagram: DiagramId, caller: Caller, role: RoleAt, intent: Edit | Replace | Undo | Redo
    ) -> Accepted | Rejected:
        """One operation through the room."""

    async def session_changed(self, diagram: DiagramId) -> None:
        """An open room reads its session and its rights again."""

    async def session_moved(self, session: Session) -> None:
        """An open room takes these facts of its session for the newest, here and on every worker."""

    async def members(self, session: Session) -> Sequence[Member]:
        """Who is connected."""


class Quota(msgspec.Struct, frozen=True):
    """So many a minute, of each who asks, and at most a minute's worth saved up. 0: as many as they like."""

    name: str
    per_minute: int


class Allowance(msgspec.Struct, frozen=True):
    """`left`: how many are there now. `wait_s`: 0 where there was one; else the next is there in so many seconds."""

    left: int
    wait_s: float = 0.0


class Rates(Protocol):
    """How often somebody asked, over all workers as far as they can be asked, else on this one. Never raises."""

    async def take(self, quota: Quota, who: str) -> Allowance:
        """Takes one, if there is one; `left` is what is there after that."""

    async def look(self, quota: Quota, who: str) -> Allowance:
        """What `take` would say, before it takes one."""
