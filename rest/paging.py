"""Lists: which part was asked for, in which order, and the form of the answer (RE2-RE4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from rest.answers import answer
from rest.calls import Call
from rest.ports import Page
from rest.problems import Problem, bad_field, malformed

T = TypeVar("T")

DEFAULT = 20
MOST = 1_000
SORTABLE = ("created_at", "modified_at", "name")
BARE = Page(limit=MOST)
"""What a bare array holds."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""


def asked_for(request: Request) -> bool:
    """Whether the client pages: then even the bare array of the written contract is an object (RE2)."""
    return any(name in request.query_params for name in ("limit", "offset", "sort"))


def page(request: Request, also: Collection[str] = ()) -> Page:
    """`also`: fields beside SORTABLE by which this list can be sorted.

    Raises 400 `invalid_limit`, `invalid_offset`, `invalid_input`.
    """
    query = request.query_params
    limit = _whole(query.get("limit"), DEFAULT, 1, "limit")
    offset = _whole(query.get("offset"), 0, 0, "offset")
    field, descending = _sort(query.get("sort"), (*SORTABLE, *also))
    return Page(min(limit, MOST), offset, field, descending)


def _whole(text: str | None, default: int, least: int, name: str) -> int:
    if text is None:
        return default
    # Longer than any count there is, and slow to read beyond some thousand digits.
    if not (text.isascii() and text.isdecimal() and len(text) <= 15) or int(text) < least:
        raise Problem(
            400,
            f"invalid_{name}",
            f"{name} must be a whole number of at least {least}.",
            details={"field": name, "reason": f"must be a whole number of at least {least}"},
        )
    return int(text)


def _sort(text: str | None, known: Sequence[str]) -> tuple[str, bool]:
    """`created_at`, `-created_at`, `created_at:desc`, `created_at:asc`."""
    if not text:
        return known[0], False
    field, _, direction = text.removeprefix("-").partition(":")
    if field not in known or direction not in ("", "asc", "desc"):
        raise bad_field("sort", f"one of {', '.join(known)}", status=400, error="invalid_input")
    return field, text.startswith("-") or direction == "desc"


def text(query: QueryParams, name: str) -> str | None:
    """A filter; an empty one asks for nothing. Raises 400 `invalid_input`."""
    return _stored(query.get(name, "")) or None


def words(query: QueryParams, name: str) -> tuple[str, ...]:
    """A filter by several words: a comma list, or the parameter as often as there are words."""
    found = ",".join(query.getlist(name)).split(",")
    return tuple(word.strip() for word in found if _stored(word).strip())


def word(query: QueryParams, name: str, meanings: Mapping[str, T]) -> T | None:
    """A filter by one of these words. Raises 400 `invalid_input`."""
    given = query.get(name, "").strip().lower()
    if given and given not in meanings:
        raise bad_field(name, f"must be one of {', '.join(meanings)}", status=400, error="invalid_input")
    return meanings.get(given)


def moment(query: Mapping[str, str], name: str) -> int | None:
    """Unix milliseconds of a date and time with its offset (RFC 3339); a `+` that arrives as a space is one. Raises 400
    `invalid_input`."""
    given = query.get(name)
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given.replace(" ", "+"))
        if at.tzinfo is not None:
            return min(max(round((at - EPOCH).total_seconds() * 1_000), 0), LATEST_MS)
    except (ValueError, OverflowError):
        pass
    raise bad_field(name, "must be a time such as 2026-01-31T12:00:00Z", status=400, error="invalid_input")


def _stored(text: str) -> str:
    if "\0" in text:
        raise malformed("A filter holds NUL.")
    return text


def listing(resource: str, items: Sequence[Any], total: int, page: Page, **headers: str) -> Response:
    """RE2: the same array twice, under `items` and under the name of the resource."""
    body = {"items": items, resource: items, "total": total, "limit": page.limit, "offset": page.offset}
    return answer(body, headers=counted(total) | headers)


async def empty(resource: str, call: Call) -> Response:
    """A list of what TMI's app asks for and this server has none of."""
    return listing(resource, [], 0, page(call.request))


def bare(items: Sequence[Any], total: int) -> Response:
    return answer(items, headers=counted(total))


def counted(total: int) -> dict[str, str]:
    return {"X-Total-Count": str(total)}


def part(rows: Sequence[T], page: Page) -> Sequence[T]:
    """A page of what is at hand as a whole."""
    return rows[page.offset : page.offset + page.limit]
