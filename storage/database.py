"""What the SQL of this package is written against: one meaning of transaction, placeholder and error everywhere.

Laws: (1) SQL is PostgreSQL's and portable: `$1` …, a list as `= ANY($1)`, a member of JSON as
`fields::jsonb ->> 'name'`; (2) the work of a transaction awaits nothing
but its transaction, so that a database without an event loop can run it in a thread of its own; (3) it may run again or
be thrown away whole: what it returns counts, what it does beside its transaction does not; (4) transactions of several
processes interleave (READ COMMITTED): what was read may have changed by the next statement, unless a condition of the
writing statement asks for it again, or the row was read with `FOR UPDATE` or `FOR SHARE`, or all who could change it
are `alone`; (5) locks are taken in one order: names given to `alone`, threat models, heads by number, sessions by id,
all other rows, the serial of changes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from collab.ports import StoreUnavailable

T = TypeVar("T")
Value: TypeAlias = str | int | bytes | Sequence[Any] | None
Row: TypeAlias = Sequence[Any]


class StoreRefused(Exception):
    """The store cannot be used at all, by configuration or version; the text is a sentence for the operator."""


class CommitUnknown(StoreUnavailable):
    """The transaction may or may not have happened, now or later."""


class Crowded(StoreUnavailable):
    """Others were in the way, or it took too long: nothing was written, and nothing is wrong with the store."""


class DamagedRow(StoreUnavailable):
    """What was written once at `vector` cannot be read any more."""

    def __init__(self, vector: int, why: str) -> None:
        super().__init__(why)
        self.vector = vector


class Conflict(Exception):
    """A unique key is taken. The work that meets it lets it through: nothing of its transaction stays."""


class Transaction(Protocol):
    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]: ...

    async def execute(self, sql: str, *args: Value) -> int:
        """How many rows were touched."""

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """No lists among the values."""

    async def alone(self, name: str, *, patient: bool = False) -> None:
        """Waits until no other transaction holds the name, and holds it to the end of this one. `patient`: neither
        this wait is cut short, nor the work after it, however long it takes; but a wait for rows or tables is, since
        others would stand behind it."""


Work: TypeAlias = Callable[[Transaction], Coroutine[Any, Any, T]]


class Database(Protocol):
    clock_sql: str
    """The store's own clock as an expression, in Unix milliseconds."""
    writes_tables_at_once: bool
    """Whether one statement may write several tables."""

    async def read(self, work: Work[T]) -> T:
        """Everything it fetches is of one moment, which comes after the call. Raises StoreUnavailable."""

    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]:
        """One statement that only reads: the same as `read` with it alone."""

    async def write(self, sql: str, *args: Value) -> Sequence[Row]:
        """One statement that writes, and the rows that it returns: the same as `transaction` with it alone, in one way
        there and back instead of three."""

    async def transaction(self, work: Work[T]) -> T:
        """All or nothing, durable on return; what the work raises rolls it back and comes through. The work may run
        twice, the first time rolled back: it keeps nothing. A caller that is cancelled cancels nothing. Raises
        StoreUnavailable: nothing was written; or CommitUnknown."""

    def schema_text(self, statement: str) -> str:
        """A statement of the migrations in the words of this database."""

    async def close(self) -> None: ...


async def first(tx: Transaction, sql: str, *args: Value) -> Row | None:
    """The first row, if there is any."""
    rows = await tx.fetch(sql, *args)
    return rows[0] if rows else None
