"""May the caller? 404 where there is nothing, 403 where there is something but not for the caller (AU19, S42)."""

from __future__ import annotations

from collab.ports import Gone
from protocol.values import DiagramId, Role, RoleAt, ThreatModelId
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.problems import forbidden, not_found


async def on_model(deps: RestDependencies, call: Call, id: ThreatModelId, needed: Role) -> Role:
    """The caller's role, at least `needed`."""
    role = await deps.models.role(call.caller, id)
    if role is None:
        raise not_found()
    if role < max(needed, Role.READER):
        raise forbidden()
    return role


async def on_diagram(
    deps: RestDependencies, call: Call, within: ThreatModelId | None, id: DiagramId, needed: Role
) -> RoleAt:
    """The caller's role; `within`: the threat model that a nested path names, None on a flat one (RE18)."""
    role = await deps.authorizer.role(call.caller, id, within)
    if isinstance(role, Gone):
        if within is not None:
            # whether the threat model is there is told to those who may read it
            await on_model(deps, call, within, Role.READER)
        raise not_found()
    if role.role < Role.READER:
        raise forbidden("You have no access to this diagram.")
    if role.role < needed:
        raise forbidden()
    return role


def not_ejected(role: RoleAt) -> None:
    """SES18: whom the host removed may not join until the session ends; that they do not write, the room sees to."""
    if role.denied:
        raise forbidden("The host has removed you from this session.")
