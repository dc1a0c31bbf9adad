"""Read, change, write on condition: the one way a row is changed, so that of two changes at once none is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeAlias, TypeVar

from protocol.values import DiagramId, ThreatModelId
from rest.dependencies import RestDependencies
from rest.ports import Cause, Changed, DiagramRow, Item, ItemId, ItemKind, Page, ThreatModel, but
from rest.problems import Problem, conflict, not_found
from rest.trail import difference, same

ATTEMPTS = 20
PAUSE_S = 0.01
WHOLE = Page(limit=1_000)

T = TypeVar("T")
R = TypeVar("R", ThreatModel, DiagramRow, Item)
Edit: TypeAlias = Callable[[T], Awaitable[T]]
"""From the row that stands to the one that shall. May be called several times: each time somebody else was faster. What
it raises is the answer."""


async def edit_model(deps: RestDependencies, id: ThreatModelId, edit: Edit[ThreatModel], cause: Cause) -> ThreatModel:
    """The model as written."""
    before, after = await _edited(partial(deps.models.read, id), edit, deps.models.change, cause)
    if (before.owner, before.entries) != (after.owner, after.entries):
        await tell_rooms(deps, id)
    return await deps.models.read(id) or after


async def edit_diagram(deps: RestDependencies, id: DiagramId, edit: Edit[DiagramRow], cause: Cause) -> DiagramRow:
    """Fields and metadata; the row as it was asked for."""
    _, after = await _edited(partial(deps.models.diagram, id), edit, deps.models.change_diagram, cause)
    return after


async def edit_item(deps: RestDependencies, kind: ItemKind, id: ItemId, edit: Edit[Item], cause: Cause) -> Item:
    """The item as written."""

    async def write(item: Item, cause: Cause) -> Changed:
        return await deps.models.change_items(kind, (item,), cause)

    _, after = await _edited(partial(deps.models.item, kind, id), edit, write, cause)
    return await deps.models.item(kind, id) or after


async def _edited(
    read: Callable[[], Awaitable[R | None]],
    edit: Edit[R],
    write: Callable[[R, Cause], Awaitable[Changed]],
    cause: Cause,
) -> tuple[R, R]:
    for attempt in range(ATTEMPTS):
        await turn(attempt)
        before = await read()
        if before is None:
            raise not_found()
        after = await edit(before)
        if unchanged(before, after):
            return before, before
        written = await write(after, telling(cause, before, after))
        if written is Changed.DONE:
            return before, after
        if written is Changed.GONE:
            raise not_found()
    raise keeps_changing()


def unchanged(before: R, after: R) -> bool:
    """What changes nothing is not written: it has no version, no line in the trail and no event."""
    return after == before and same(after.fields, before.fields)


async def turn(attempt: int) -> None:
    """Before each attempt, counted from 0. Where many change one row, one of them wins each time; if all the others try
    again at once, the last give up. So they spread, the more the longer it takes."""
    if attempt:
        await asyncio.sleep(PAUSE_S * attempt * random.random())  # noqa: S311 - no secret


def telling(cause: Cause, before: R, after: R) -> Cause:
    return but(cause, detail={**difference(before, after), **cause.detail})


def keeps_changing() -> Problem:
    return conflict("It keeps changing; try again.")


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
