"""Whether the store takes what it is given: one with a full disk answers all who only read."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TypeVar

from collab.ports import StoreUnavailable
from storage.database import Crowded, DamagedRow, Database, Row, Value, Work

T = TypeVar("T")
log = logging.getLogger(__name__)

REFUSED_S = 10.0
"""So long a write that was refused says that nothing can be saved, unless another one can."""


class Saving:
    """As far as it was told of writes."""

    def __init__(self) -> None:
        self._refused_at_s = float("-inf")

    @property
    def works(self) -> bool:
        return time.monotonic() - self._refused_at_s >= REFUSED_S

    def took(self) -> None:
        self._refused_at_s = float("-inf")

    def refused(self, error: StoreUnavailable) -> None:
        if isinstance(error, DamagedRow) or (isinstance(error, Crowded) and self.works):
            # one that was in the way after a refusal may be the one that the store does not get done
            return
        if self.works:
            log.warning("the store takes no commits: %s", error)
        self._refused_at_s = time.monotonic()


class Observed:
    """The same database, of which it is known whether it takes what is written by way of here."""

    def __init__(self, database: Database) -> None:
        self.clock_sql, self.writes_tables_at_once = database.clock_sql, database.writes_tables_at_once
        self.read, self.fetch = database.read, database.fetch
        self.schema_text, self.close = database.schema_text, database.close
        self.saving = Saving()
        self._database = database

    async def write(self, sql: str, *args: Value) -> Sequence[Row]:
        """That it succeeds proves nothing without a row: there may have been nothing to write."""
        try:
            rows = await self._database.write(sql, *args)
        except StoreUnavailable as error:
            self.saving.refused(error)
            raise
        if rows:
            self.saving.took()
        return rows

    async def transaction(self, work: Work[T]) -> T:
        try:
            result = await self._database.transaction(work)
        except StoreUnavailable as error:
            self.saving.refused(error)
            raise
        self.saving.took()
        return result
