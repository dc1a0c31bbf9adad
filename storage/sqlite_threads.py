"""The threads of a SQLite store: one that writes in groups, and readers.

Laws: (1) all waiting writes share one transaction and one fsync; where one of them fails, all run again, each behind a
savepoint of its own; (2) nobody hears of a write before the commit of its group; (3) only the writer writes, so that
its transactions never wait; and it alone does checkpoints: of two connections that write and checkpoint at the same
moment, SQLite before 3.51.3 can lose pages (sqlite.org/wal.html, "The WAL-Reset Bug").
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import msgspec

from collab.ports import StoreUnavailable
from storage.database import CommitUnknown, Conflict, Row, Value, Work

T = TypeVar("T")
log = logging.getLogger(__name__)

for _kind in (bytes, type(None)):
    # Else Python asks such a value, too, whether it adapts itself, by an error that nobody sees: 0.3 µs for each.
    sqlite3.register_adapter(_kind, lambda value: value)

_LIST = re.compile(r"= ANY\((\$\d+)\)")
_LISTS = (list, tuple)
_LOCK = re.compile(r" FOR (?:NO KEY UPDATE|UPDATE|SHARE)(?: OF \w+)?(?: SKIP LOCKED)?\b")
"""The only writer has every row to itself."""
_MEMBER = re.compile(r"\b(\w+)::jsonb ->> '(\w+)'")
_VALUE = re.compile(r"\$(\d+)")
_TAKEN = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_BUGS = {
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}
"""Primary result codes that say something of our statement, and nothing of the disk."""
WIDTHS = (64, 32, 16, 8)
"""Rows are inserted so many at once: each statement gives the interpreter away and has to get it back, which beside a
busy event loop is dearer than the row. Of the statements' own CPU it saves a tenth; fewer than 8 save nothing."""


class SqliteTransaction:
    """Answers at once, so that work written for an event loop runs to its end in a plain thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]:
        return self.connection.execute(_spelled(sql), _bound(args)).fetchall()

    async def execute(self, sql: str, *args: Value) -> int:
        return self.connection.execute(_spelled(sql), _bound(args)).rowcount

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        waiting, done = list(rows), 0
        for size in WIDTHS:
            wide = _wide(sql, size)
            while wide is not None and len(waiting) - done >= size:
                self.connection.execute(wide, list(chain.from_iterable(waiting[done : done + size])))
                done += size
        self.connection.executemany(_spelled(sql), waiting[done:])

    async def alone(self, name: str, *, patient: bool = False) -> None:
        """The only writer is."""


class Job:
    """One piece of work and where its outcome is waited for."""

    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(self, work: Work[Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None

    def run(self, tx: SqliteTransaction) -> None:
        self.result = self.error = None
        try:
            self.result = _driven(self.work, tx)
        except Exception as error:
            self.error = _translated(error)

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)

    def expire(self) -> None:
        if not self.future.done():
            self.future.set_exception(CommitUnknown("the disk did not answer in time"))


class Worker(threading.Thread):
    """Performs jobs off a queue until it finds None there."""

    def __init__(self, jobs: queue.SimpleQueue[Job | None], connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(name="codraw-sqlite", daemon=True)
        self._jobs = jobs
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self.perform(job)
        self._disconnect()

    def perform(self, job: Job) -> None:
        raise NotImplementedError

    def _transaction(self) -> SqliteTransaction:
        if self._connection is None:
            self._connection = self._connect()
        return SqliteTransaction(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


class Reader(Worker):
    def perform(self, job: Job) -> None:
        try:
            tx = self._transaction()
            tx.connection.execute("BEGIN")
            job.run(tx)
            tx.connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            job.error = _translated(error)
            self._disconnect()
        _settle([job])


class Writer(Worker):
    def perform(self, job: Job) -> None:
        jobs = [job, *self._waiting()]
        try:
            self._group(jobs)
        except _GroupLost as lost:
            _fail(jobs, StoreUnavailable(str(lost)))
        except sqlite3.Error as error:
            # Nothing was committed; the connection may be in any state.
            _fail(jobs, StoreUnavailable(_reason(error)))
            self._disconnect()
        _settle(jobs)

    def _waiting(self) -> Iterable[Job]:
        with suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is None:
                    self._jobs.put(None)
                    return
                yield job

    def _group(self, jobs: Sequence[Job]) -> None:
        tx = self._transaction()
        tx.connection.execute("BEGIN IMMEDIATE")
        if not _together(jobs, tx):
            tx.connection.execute("ROLLBACK")
            if len(jobs) == 1:
                return
            tx.connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                _behind_savepoint(job, tx)
        try:
            tx.connection.execute("COMMIT")
        except sqlite3.Error as error:
            # The log may hold the group on disk although its commit failed, and a later start may find it there.
            _fail(jobs, CommitUnknown(_reason(error)))
            self._disconnect()


class _GroupLost(Exception):
    """SQLite itself rolled the whole transaction back, as it does for a full disk or an I/O error."""


def _check(tx: SqliteTransaction, job: Job) -> None:
    if not tx.connection.in_transaction:
        raise _GroupLost(str(job.error))


def _together(jobs: Sequence[Job], tx: SqliteTransaction) -> bool:
    """False: one has failed, and what it did before stands among what the others did. Few do, and savepoints cost small
    commits a tenth."""
    for job in jobs:
        job.run(tx)
        _check(tx, job)
        if job.error is not None:
            return False
    return True


def _behind_savepoint(job: Job, tx: SqliteTransaction) -> None:
    tx.connection.execute("SAVEPOINT job")
    job.run(tx)
    _check(tx, job)
    if job.error is not None:
        tx.connection.execute("ROLLBACK TO job")
    tx.connection.execute("RELEASE job")


def _fail(jobs: Iterable[Job], error: StoreUnavailable) -> None:
    log.error("the store failed: %s", error)
    for job in jobs:
        job.error = error


def _settle(jobs: Sequence[Job]) -> None:
    """Wakes each event loop once for all of its jobs."""
    for loop in {job.loop for job in jobs}:
        mine = [job for job in jobs if job.loop is loop]
        # A loop that was closed meanwhile has nobody waiting.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_here, mine)


def _settle_here(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.settle()


def _driven(work: Work[T], tx: SqliteTransaction) -> T:
    coroutine = work(tx)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("the work of a transaction awaits something else than its transaction")


@lru_cache(maxsize=512)
def _spelled(sql: str) -> str:
    """Numbered placeholders take their values by position, which costs half of what names do."""
    sql = _MEMBER.sub(r"json_extract(\1, '$.\2')", _LOCK.sub("", sql))
    return _VALUE.sub(r"?\1", _LIST.sub(r"IN (SELECT value FROM json_each(\1))", sql))


@lru_cache(maxsize=64)
def _wide(sql: str, rows: int) -> str | None:
    """The insertion of one row as one of so many; None: it is not such a one."""
    insert, _, row = _spelled(sql).partition(" VALUES ")
    width = row.count("?")
    if row != f"({', '.join(f'?{n + 1}' for n in range(width))})":
        return None
    return f"{insert} VALUES " + ", ".join(["(" + ", ".join("?" * width) + ")"] * rows)


def _bound(args: Sequence[Value]) -> Sequence[Value]:
    """Lists travel as JSON."""
    for value in args:
        if isinstance(value, _LISTS):
            return [msgspec.json.encode(each).decode() if isinstance(each, _LISTS) else each for each in args]
    return args


def _translated(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", None)
    if code in _TAKEN:
        return Conflict(str(error))
    if code is None or code & 0xFF in _BUGS:
        return error
    return StoreUnavailable(_reason(error))


def _reason(error: sqlite3.Error) -> str:
    return f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
