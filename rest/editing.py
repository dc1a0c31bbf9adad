"""Read, change, write on condition: the one way a threat model is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from protocol.values import ThreatModelId
from rest.dependencies import RestDependencies
from rest.ports import Changed, DiagramRow, Item, ItemKind, Page, ThreatModel, but
from rest.problems import conflict, not_found

ATTEMPTS = 20
WHOLE = Page(limit=1_000)


async def edit_model(
    deps: RestDependencies, id: ThreatModelId, edit: Callable[[ThreatModel], ThreatModel]
) -> ThreatModel:
    """The model as written. `edit` may be called several times: each time somebody else was faster."""
    for _ in range(ATTEMPTS):
        before = await deps.models.read(id)
        if before is None:
            raise not_found()
        after = edit(before)
        written = await deps.models.change(after)
        if written is Changed.DONE:
            if (before.owner, before.entries) != (after.owner, after.entries):
                await tell_rooms(deps, id)
            return await deps.models.read(id) or after
        if written is Changed.GONE:
            raise not_found()
    raise conflict("The threat model keeps changing; try again.")


async def tell_rooms(deps: RestDependencies, id: ThreatModelId) -> None:
    """Rights bind through the store (AU15); this makes open rooms here see them at once."""
    async for row in all_diagrams(deps, id):
        await deps.rooms.session_changed(row.id)


async def all_diagrams(deps: RestDependencies, id: ThreatModelId) -> AsyncIterator[DiagramRow]:
    page = WHOLE
    while True:
        rows, total = await deps.models.diagrams(id, page)
        for row in rows:
            yield row
        page = Page(limit=page.limit, offset=page.offset + page.limit)
        if page.offset >= total:
            return


async def all_items(deps: RestDependencies, kind: ItemKind, id: ThreatModelId) -> list[Item]:
    rows: list[Item] = []
    while True:
        found, total = await deps.models.items(kind, id, but(WHOLE, offset=len(rows)))
        rows += found
        if not found or len(rows) >= total:
            return rows
