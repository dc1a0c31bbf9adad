"""Who may do what, as SQL: one predicate for every question, and the Authorizer.

The predicate takes the caller as `$1` provider, `$2` provider_id, `$3` groups; a statement's own values follow.
"""

from __future__ import annotations

from collab.core.events import Gone
from protocol.values import Caller, DiagramId, Role, RoleAt, ThreatModelId
from storage.database import Database, Transaction, Value

ALIASES = {"tmi": "test"}
"""Names of a provider in authorization entries that mean another one."""


def matches(provider: str, provider_id: str, in_groups: str) -> str:
    """That an entry `e` speaks of somebody (AU16, AU18), who is given as SQL; `in_groups`: what `e.name` must be."""
    return (
        f"(e.principal_type = 'user' AND e.provider = {provider} AND e.provider_id = {provider_id}"
        " OR e.principal_type = 'group' AND (e.name = 'everyone'"
        f" OR e.name {in_groups} AND (e.provider IS NULL OR e.provider = {provider})))"
    )


MATCHES = matches("$1", "$2", "= ANY($3)")

OWNS = "(t.owner_provider = $1 AND t.owner_provider_id = $2)"

ROLE = (
    f"CASE WHEN {OWNS} THEN {Role.OWNER:d} ELSE coalesce("
    f"(SELECT max(e.role) FROM entry e WHERE e.threat_model_id = t.id AND {MATCHES}), {Role.NONE:d}) END"
)
"""The caller's highest role on threat model `t`."""

READABLE = f"({OWNS} OR t.id IN (SELECT e.threat_model_id FROM entry e WHERE {MATCHES} AND e.role >= {Role.READER:d}))"

DENIED = (
    "EXISTS (SELECT 1 FROM session s JOIN session_member m ON m.session_id = s.id"
    " WHERE s.diagram_id = h.id AND s.ended_at IS NULL AND m.user_id = $5 AND m.status = 'denied')"
)

ROLE_AT = (
    f"SELECT {ROLE}, h.acl_version, {DENIED} FROM diagram_head h JOIN threat_model t ON t.id = h.threat_model_id"
    " WHERE h.id = $4 AND h.deleted_at IS NULL"
)
ROLE_AT_WITHIN = f"{ROLE_AT} AND t.id = $6"

HEADS_BELOW = (
    "SELECT id FROM diagram_head WHERE threat_model_id = $1 AND deleted_at IS NULL ORDER BY number FOR NO KEY UPDATE"
)
RAISE = "UPDATE diagram_head SET acl_version = acl_version + 1 WHERE threat_model_id = $1 AND deleted_at IS NULL"
RAISE_ONE = "UPDATE diagram_head SET acl_version = acl_version + 1 WHERE id = $1"

MODEL = "SELECT version FROM threat_model WHERE id = $1 FOR NO KEY UPDATE"
"""Held by whatever changes who may do something below a threat model: one at a time, and no diagram is made meanwhile
that would miss it."""
MODEL_STAYS = "SELECT 1 FROM threat_model WHERE id = $1 FOR SHARE"
"""Held by whatever adds something below a threat model, which neither goes nor changes its rights meanwhile."""


def asking(caller: Caller) -> tuple[Value, Value, Value]:
    """The first three values of a statement with the predicate."""
    return caller.user.provider, caller.user.provider_id, caller.groups


async def raise_below(tx: Transaction, model: str) -> list[DiagramId]:
    """In the transaction of whatever changes who may write below a threat model (S47), which is held; the diagrams'
    heads are, too, from here on."""
    diagrams = [DiagramId(id) for (id,) in await tx.fetch(HEADS_BELOW, model)]
    await tx.execute(RAISE, model)
    return diagrams


class SqlAuthorizer:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def role(self, caller: Caller, diagram: DiagramId, within: ThreatModelId | None = None) -> RoleAt | Gone:
        """One statement: role and permission clock are of the same moment."""
        sql, named = (ROLE_AT, ()) if within is None else (ROLE_AT_WITHIN, (within,))
        rows = await self._database.fetch(sql, *asking(caller), diagram, caller.id, *named)
        if not rows:
            return Gone()
        role, acl_version, denied = rows[0]
        return RoleAt(Role(role), acl_version, bool(denied))
