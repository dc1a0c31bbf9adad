"""PostgreSQL as a `Database`: what a transaction is there, what a lost connection means, and how its schema is spelled.

Laws: (1) everything runs READ COMMITTED, under the rules that `storage.database` names; what got in another's way runs
again; (2) a caller that goes away cancels nothing; (3) a connection lost before the commit is a store that cannot be
reached, one lost in it is a commit that may have happened.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from collab.ports import StoreUnavailable
from storage.database import Row, StoreRefused, Value, Work
from storage.postgres_errors import Again, breaks, meaning, meaning_of_commit
from storage.postgres_pool import Connection, Pool
from storage.postgres_server import CONNECT_S, SETTINGS, Durability, Server, dial, examined, local_settings

T = TypeVar("T")
log = logging.getLogger(__name__)

SIZE = 10
ANSWER_S = 4.0
"""Without an answer for so long the way to the server counts as cut: the server itself gives up earlier."""
CLOSE_S = 5.0
ATTEMPTS = 8
PAUSE_S = 0.01
"""Before what got in another's way runs again, on average; longer each time."""

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
PATIENCE = (
    "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),"
    " set_config('idle_in_transaction_session_timeout', '0', true)"
)
IMPATIENCE = "SELECT set_config('lock_timeout', $1, true)"
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('codraw ' || $1, 0))"

_TEXT = re.compile(r"(?<=\s)text\b")


class PostgresTransaction:
    def __init__(self, connection: Connection, deadline: asyncio.Timeout) -> None:
        self._connection = connection
        self._deadline: asyncio.Timeout | None = deadline

    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]:
        self._begin()
        return await _rows(self._connection, sql, args)

    async def execute(self, sql: str, *args: Value) -> int:
        self._begin()
        status = await self._connection.execute(sql, *args)
        # "INSERT 0 1", "UPDATE 3", "CREATE TABLE"
        count = status.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        self._begin()
        if rows := list(rows):
            await self._connection.executemany(sql, rows)

    async def alone(self, name: str, *, patient: bool = False) -> None:
        if patient:
            await self.fetch(PATIENCE)
            if self._deadline is not None:
                self._deadline.reschedule(None)
                self._deadline = None
        await self.fetch(ALONE, name)
        if patient:
            await self.fetch(IMPATIENCE, SETTINGS["lock_timeout"])

    def _begin(self) -> None:
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + ANSWER_S)


class PostgresDatabase:
    """Made by `open`. Belongs to one event loop."""

    clock_sql = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    writes_tables_at_once = True

    def __init__(self, url: str, size: int, durability: Durability, statement_cache: bool) -> None:
        self.url = url
        self.durability = durability
        self._statement_cache = statement_cache
        # behind a proxy that pools, what was set for a connection holds for whichever the proxy took then
        self._opening = "" if statement_cache else f"; {local_settings(durability)}"
        self._pool = Pool(self._connected, size)
        self._running: set[asyncio.Task[Any]] = set()
        self._identity: str | None = None
        self._renew: Callable[[PostgresDatabase], Awaitable[object]] | None = None
        self._renewing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, url: str, *, size: int = SIZE, durability: Durability = "disk", statement_cache: bool = True
    ) -> PostgresDatabase:
        """`statement_cache`: off behind a proxy that gives each transaction another connection. Raises StoreRefused, or
        StoreUnavailable where trying again may help."""
        connection, server = await dial(url, durability, statement_cache)
        await connection.close(timeout=CONNECT_S)
        if sentence := server.refusal(durability):
            raise StoreRefused(sentence)
        return cls(url, size, durability, statement_cache)

    # the port

    async def fetch(self, sql: str, *args: Value) -> Sequence[Row]:
        return await self._whole(partial(self._single, partial(_rows, sql=sql, args=args), meaning))

    async def write(self, sql: str, *args: Value) -> Sequence[Row]:
        if self._opening:
            return await self.transaction(lambda tx: tx.fetch(sql, *args))
        return await self._whole(partial(self._single, partial(_rows, sql=sql, args=args), meaning_of_commit))

    async def read(self, work: Work[T]) -> T:
        return await self._whole(partial(self._bracketed, READ, work, meaning))

    async def transaction(self, work: Work[T]) -> T:
        return await self._whole(partial(self._bracketed, WRITE, work, meaning_of_commit))

    def schema_text(self, statement: str) -> str:
        """Text is compared by its bytes, as SQLite does it, whatever the order of the database is."""
        if statement.startswith(("CREATE TABLE", "ALTER TABLE")):
            return _TEXT.sub('text COLLATE "C"', statement)
        return statement

    async def close(self) -> None:
        """What was asked before is still done, if that does not take long."""
        tasks = {*self._running, *([self._renewing] if self._renewing else ())}
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_S)
        await self._pool.close(CONNECT_S)

    # the server behind it

    async def identity(self) -> str:
        """Of the server's data and of the branch of its history that it is on."""
        return (await self._examined()).identity

    async def clock_offset_ms(self) -> int:
        """How far the store's clock is ahead of this machine's, taken in the middle of the way there and back."""
        return (await self._examined()).offset_ms

    def watch(self, identity: str, renew: Callable[[PostgresDatabase], Awaitable[object]]) -> None:
        """Nothing is done any more on a server that is another one, or has lost time, before `renew` was."""
        self._identity, self._renew = identity, renew

    async def _examined(self) -> Server:
        server: Server = await self._whole(partial(self._single, examined, meaning))
        # behind a proxy the server can be another although no connection broke
        self._check(server)
        return server

    def _check(self, server: Server) -> None:
        if self._identity is None or self._identity == server.identity:
            return
        # those to it that were open before are judged anew, too
        self._pool.lost()
        if self._renewing is None:
            log.error(
                "the store is %s now and was %s: all diagrams are given new epochs", server.identity, self._identity
            )
            self._renewing = asyncio.get_running_loop().create_task(self._renewed(server.identity))
        raise StoreUnavailable("the store lost time: all diagrams are given new epochs first")

    async def _renewed(self, identity: str) -> None:
        other = PostgresDatabase(self.url, 1, self.durability, self._statement_cache)
        try:
            if self._renew is not None:
                await self._renew(other)
            self._pool.lost()
            self._identity = identity
        except Exception as error:
            # whoever comes next tries again
            log.error("new epochs could not be given yet: %s", error)
        finally:
            self._renewing = None
            await other.close()

    # one piece of work

    async def _whole(self, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """To its end, whatever becomes of the caller, who is the only one that hears of it: no supervisor is needed."""
        task = asyncio.get_running_loop().create_task(_until_it_succeeds(attempt))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            # heard: the caller may be gone
            task.exception()

    async def _single(
        self, ask: Callable[[Connection], Coroutine[Any, Any, T]], means: Callable[[Exception], Exception]
    ) -> T:
        async with self._pool.connection() as connection:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await ask(connection)
            except BaseException as error:
                raise self._failed(connection, error, means) from None

    async def _bracketed(self, begin: str, work: Work[T], means: Callable[[Exception], Exception]) -> T:
        async with self._pool.connection() as connection:
            try:
                async with asyncio.timeout(ANSWER_S) as deadline:
                    await connection.execute(begin + self._opening)
                    result = await work(PostgresTransaction(connection, deadline))
            except BaseException as error:
                failure = self._failed(connection, error, meaning)
                await self._roll_back(connection)
                raise failure from None
            try:
                async with asyncio.timeout(ANSWER_S):
                    status = await connection.execute("COMMIT")
            except BaseException as error:
                raise self._failed(connection, error, means) from None
        if status != "COMMIT":
            raise RuntimeError("the work of a transaction went on after an error of its statement")
        return result

    def _failed(
        self, connection: Connection, error: BaseException, means: Callable[[Exception], Exception]
    ) -> BaseException:
        if not isinstance(error, Exception):
            connection.terminate()
            return error
        if breaks(error):
            connection.terminate()
            self._pool.lost()
        return means(error)

    async def _roll_back(self, connection: Connection) -> None:
        if connection.is_closed():
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                await connection.execute("ROLLBACK")
        except Exception:
            connection.terminate()

    async def _connected(self) -> Connection:
        try:
            connection, server = await dial(self.url, self.durability, self._statement_cache)
        except StoreRefused as refused:
            # at another time this would not have been opened; now it may pass
            raise StoreUnavailable(str(refused)) from None
        try:
            self._check(server)
            if sentence := server.refusal(self.durability):
                raise StoreUnavailable(sentence)
        except StoreUnavailable:
            connection.terminate()
            raise
        return connection


async def _until_it_succeeds(attempt: Callable[[], Coroutine[Any, Any, T]]) -> T:
    why = ""
    for turn in range(1, ATTEMPTS + 1):
        try:
            return await attempt()
        except Again as again:
            why = str(again)
        # so that the two do not meet once more; nothing secret hangs on it
        await asyncio.sleep(PAUSE_S * turn * (0.5 + random.random()))  # noqa: S311
    raise StoreUnavailable(why)


async def _rows(connection: Connection, sql: str, args: Sequence[Value]) -> Sequence[Row]:
    """Records are sequences in all that is asked of them here."""
    found: Any = await connection.fetch(sql, *args)
    return found  # type: ignore[no-any-return]
