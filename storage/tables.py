"""What rows with free fields have in common: fields and metadata as JSON, a name to search by, pages of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rest.ports import Page
from storage.clock import real_ms
from storage.database import Database

DROP = (
    "DELETE FROM {0} WHERE sha256 IN (SELECT sha256 FROM {0} WHERE expires_at < $1 LIMIT 1000 FOR UPDATE SKIP LOCKED)"
)
"""A few of the secrets that are past their time, with each new one; what another process drops is left to it."""
LONGEST = 1_000
"""A longer filter finds nothing either way, and SQLite refuses patterns of any length."""


class Tables:
    """A part of the models: its database and the store's clock."""

    def __init__(self, database: Database, now_ms: Callable[[], int] = real_ms) -> None:
        self._database = database
        self._now_ms = now_ms


def name_key(fields: Mapping[str, Any]) -> str:
    """By this rows are sorted and found: any case."""
    name = fields.get("name")
    return name.casefold() if isinstance(name, str) else ""


def window(page: Page, also: Mapping[str, str] = {}) -> str:
    """Every row type has these three, under these names; `also`: by what else it is sorted, and the expressions. Ties
    are broken by id."""
    column = {"created_at": "created_at", "modified_at": "modified_at", "name": "name", **also}[page.sort]
    return f" ORDER BY {column}{' DESC' if page.descending else ''}, id LIMIT {page.limit:d} OFFSET {page.offset:d}"


def member(name: str) -> str:
    """A member of the fields as text. No other spelling: on SQLite this one is replaced (`storage.sqlite_threads`)."""
    return f"fields::jsonb ->> '{name}'"


def containing(part: str) -> str:
    """For LIKE: whatever holds this, which is compared without case; its wildcards are none."""
    return holding(part.casefold())


def holding(part: str) -> str:
    """The same as it is written."""
    literal = part[:LONGEST].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"
