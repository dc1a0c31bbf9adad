"""Who may do what, as SQL: one predicate for every question, and the Authorizer.

The predicate takes the caller as `$1` provider, `$2` provider_id, `$3` groups; a statement's own values follow.
"""

from __future__ import annotations

from functools import partial

from collab.core.events import Gone
from protocol.values import Caller, DiagramId, Role, RoleAt, ThreatModelId
from storage.database import Database, Transaction, Value, first

ALIASES = {"tmi": "test"}
"""Names of a provider in authorization entries that mean another one."""

MATCHES = (
    "(e.principal_type = 'user' AND e.provider = $1 AND e.provider_id = $2"
    " OR e.principal_type = 'group' AND (e.name = 'everyone'"
    " OR e.name = ANY($3) AND (e.provider IS NULL OR e.provider = $1)))"
)
"""That an entry `e` speaks of the caller (AU16, AU18)."""

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

RAISE = "UPDATE diagram_head SET acl_version = acl_version + 1 WHERE threat_model_id = $1 AND deleted_at IS NULL"
"""In the transaction of whatever changes who may write below a threat model (S47)."""
RAISE_ONE = "UPDATE diagram_head SET acl_version = acl_version + 1 WHERE id = $1"


def asking(caller: Caller) -> tuple[Value, Value, Value]:
    """The first three values of a statement with the predicate."""
    return caller.user.provider, caller.user.provider_id, caller.groups


class SqlAuthorizer:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def role(self, caller: Caller, diagram: DiagramId) -> RoleAt | Gone:
        return await self._database.read(partial(_role_at, caller=caller, diagram=diagram))

    async def belongs(self, diagram: DiagramId) -> ThreatModelId | None:
        sql = "SELECT threat_model_id FROM diagram_head WHERE id = $1 AND deleted_at IS NULL"
        row = await self._database.read(lambda tx: first(tx, sql, diagram))
        return None if row is None else ThreatModelId(row[0])


async def _role_at(tx: Transaction, caller: Caller, diagram: DiagramId) -> RoleAt | Gone:
    """One statement: role and permission clock are of the same moment."""
    sql = (
        f"SELECT {ROLE}, h.acl_version, {DENIED} FROM diagram_head h JOIN threat_model t ON t.id = h.threat_model_id"
        " WHERE h.id = $4 AND h.deleted_at IS NULL"
    )
    row = await first(tx, sql, *asking(caller), diagram, caller.id)
    if row is None:
        return Gone()
    role, acl_version, denied = row
    return RoleAt(Role(role), acl_version, bool(denied))
