"""Many items of one threat model in one request: all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.responses import Response

from protocol.values import Role, ThreatModelId
from rest import calls, rights
from rest.bodies import JSON, JSON_PATCH, MERGE_PATCH, REQUIRED, Body, as_object, json_value
from rest.calls import Call
from rest.collections import Items
from rest.editing import ATTEMPTS, keeps_changing, turn, unchanged
from rest.paging import bare, listing
from rest.ports import Changed, Item, ItemId, Page
from rest.problems import Problem, bad_field, malformed, not_found, placed
from rest.trail import difference

MOST = 100
PATCHES = "patches"
"""In this member TMI's clients send a JSON patch for each id."""

Change = Callable[[Item, Any], Item]
"""From the item that stands, and what the request has under its id, to the one that shall."""


class Bulk:
    """`…/threats/bulk`. A body is an array, or an object with the array under `items` or the resource's own name."""

    def __init__(self, items: Items) -> None:
        self.items = items
        self.deps = items.deps
        self.kind = items.kind

    async def create(self, call: Call) -> Response:
        await self._writing(call)
        bodies = self._entries(await json_value(call.request))
        within = await self._writing(call)
        items = [_placed(n, partial(self.items.founded, within, body)) for n, body in enumerate(bodies)]
        made = await self.deps.models.create_items(self.kind.kind, items, call.cause())
        if made is None:
            raise not_found()
        response = self._listing(call, made)
        response.status_code = 201
        response.headers["Location"] = call.here().removesuffix("/bulk")
        return response

    async def replace(self, call: Call) -> Response:
        """Each by its `id`: what it names, and it names a `name`."""
        within = await self._writing(call)
        entries = self._entries(await json_value(call.request))
        return await self._change(call, within, _by_id(entries), self._replaced)

    async def merge(self, call: Call) -> Response:
        """Each by its `id`: RFC 7386; or a JSON patch for each."""
        within = await self._writing(call)
        given = await json_value(call.request, types=(JSON, MERGE_PATCH))
        if isinstance(given, dict) and PATCHES in given:
            patches = _by_id(_objects(given[PATCHES], PATCHES))
            return await self._change(call, within, patches, self._json_patched)
        return await self._change(call, within, _by_id(self._entries(given)), self._merged)

    def _replaced(self, row: Item, entry: Body) -> Item:
        return self.items.replaced(row, _rest(entry))

    def _json_patched(self, row: Item, entry: Body) -> Item:
        return self.items.patched(row, JSON_PATCH, entry.get("operations"))

    def _merged(self, row: Item, entry: Body) -> Item:
        return self.items.patched(row, MERGE_PATCH, _rest(entry))

    async def _writing(self, call: Call) -> ThreatModelId:
        within = call.threat_model_id
        await rights.on_model(self.deps, call, within, Role.WRITER)
        return within

    async def _change(
        self, call: Call, within: ThreatModelId, entries: Mapping[ItemId, Body], change: Change
    ) -> Response:
        for attempt in range(ATTEMPTS):
            await turn(attempt)
            # Once more, since the body may have taken its time (AU15).
            await self._writing(call)
            rows = [await self._row(within, id) for id in entries]
            after = [_placed(n, partial(change, row, entries[row.id])) for n, row in enumerate(rows)]
            moved = [(row, now) for row, now in zip(rows, after, strict=True) if not unchanged(row, now)]
            if not moved or await self._write(call, moved) is Changed.DONE:
                written = [await self.deps.models.item(self.kind.kind, row.id) for row in after]
                return self._listing(call, [now or row for now, row in zip(written, after, strict=True)])
        raise keeps_changing()

    async def _write(self, call: Call, moved: Sequence[tuple[Item, Item]]) -> Changed:
        details = {row.id: difference(row, now) for row, now in moved}
        return await self.deps.models.change_items(self.kind.kind, [now for _, now in moved], call.cause(), details)

    async def _row(self, within: ThreatModelId, id: ItemId) -> Item:
        row = await self.deps.models.item(self.kind.kind, id)
        if row is None or row.threat_model_id != within:
            raise not_found(f"There is no {self.kind.kind} {id} here.")
        return row

    def _entries(self, given: Any) -> list[Body]:
        """1 to MOST objects. Raises 400, 422."""
        if isinstance(given, dict):
            given = given.get(self.kind.resource, given.get("items"))
        return _objects(given, self.kind.resource)

    def _listing(self, call: Call, rows: Sequence[Item]) -> Response:
        shown = [self.items.view(row) for row in rows]
        if call.forms.bare_bulk:
            return bare(shown, len(shown))
        return listing(self.kind.resource, shown, len(shown), Page(limit=MOST))


def _objects(given: Any, name: str) -> list[Body]:
    if not isinstance(given, list):
        raise malformed(f"The body must be a list, or an object with a list in {name}.")
    if not 1 <= len(given) <= MOST:
        raise bad_field(name, f"must have 1 to {MOST} entries")
    return [as_object(entry) for entry in given]


def _by_id(entries: Sequence[Body]) -> dict[ItemId, Body]:
    """Raises 400 `invalid_id`, 422."""
    found: dict[ItemId, Body] = {}
    for n, entry in enumerate(entries):
        place = f"[{n}].id"
        if not isinstance(entry.get("id"), str):
            raise bad_field(place, REQUIRED)
        id = ItemId(calls.uuid(entry["id"], place))
        if id in found:
            raise bad_field(place, "stands twice")
        found[id] = entry
    return found


def _rest(entry: Body) -> Body:
    return {name: value for name, value in entry.items() if name != "id"}


def _placed(n: int, judge: Callable[[], Item]) -> Item:
    try:
        return judge()
    except Problem as refused:
        raise placed(refused, f"[{n}]") from None
