"""What is made of an error, before the commit and in it."""

from __future__ import annotations

import asyncpg
import pytest
from asyncpg import exceptions

from collab.ports import StoreUnavailable
from storage.database import CommitUnknown, Conflict, Crowded
from storage.postgres_errors import Again, breaks, meaning, meaning_of_commit

OURS = (
    asyncpg.UndefinedTableError,
    asyncpg.ForeignKeyViolationError,
    asyncpg.DataError,
    exceptions.CharacterNotInRepertoireError,
)
SERVERS = (
    exceptions.DiskFullError,
    exceptions.TooManyConnectionsError,
    exceptions.LockNotAvailableError,
    exceptions.QueryCanceledError,
    exceptions.ReadOnlySQLTransactionError,
    exceptions.PostgresIOError,
    exceptions.DataCorruptedError,
)
IN_THE_WAY = (
    exceptions.SerializationError,
    exceptions.DeadlockDetectedError,
    exceptions.InvalidCachedStatementError,
    exceptions.InvalidSQLStatementNameError,
    exceptions.DuplicatePreparedStatementError,
)
LOST = (
    exceptions.ConnectionDoesNotExistError,
    exceptions.AdminShutdownError,
    exceptions.CrashShutdownError,
    exceptions.StatementCompletionUnknownError,
    exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.InterfaceError,
    exceptions.InternalClientError,
    ConnectionResetError,
    EOFError,
)


@pytest.mark.parametrize("kind", OURS)
def test_what_is_wrong_with_our_statement_comes_through(kind: type[Exception]) -> None:
    error = kind("x")
    assert meaning(error) is error is meaning_of_commit(error)
    assert not breaks(error)


def test_a_taken_key_is_a_conflict() -> None:
    error = asyncpg.UniqueViolationError("x")
    assert isinstance(meaning(error), Conflict) and isinstance(meaning_of_commit(error), Conflict)


@pytest.mark.parametrize("kind", SERVERS)
def test_what_the_server_cannot_do_now_was_not_done(kind: type[Exception]) -> None:
    for what in (meaning(kind("x")), meaning_of_commit(kind("x"))):
        assert isinstance(what, StoreUnavailable) and not isinstance(what, CommitUnknown)
    assert not breaks(kind("x"))


@pytest.mark.parametrize("kind", IN_THE_WAY)
def test_what_got_in_anothers_way_is_done_again(kind: type[Exception]) -> None:
    assert isinstance(meaning(kind("x")), Again) and isinstance(meaning_of_commit(kind("x")), Again)


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_connection_is_another_attempt_before_the_commit_and_unknown_in_it(kind: type[Exception]) -> None:
    assert isinstance(meaning(kind("x")), Again)
    assert isinstance(meaning_of_commit(kind("x")), CommitUnknown)
    assert breaks(kind("x"))


def test_without_an_answer_nobody_waits_a_second_time() -> None:
    assert isinstance(meaning(TimeoutError()), StoreUnavailable)
    assert isinstance(meaning_of_commit(TimeoutError()), CommitUnknown)
    assert breaks(TimeoutError())


def test_what_the_work_itself_raises_is_its_own() -> None:
    error = LookupError("x")
    assert meaning(error) is error
    assert not breaks(error)


@pytest.mark.parametrize(
    ("error", "crowded"),
    [
        (exceptions.LockNotAvailableError, True),
        (exceptions.QueryCanceledError, True),
        (exceptions.DiskFullError, False),
    ],
)
def test_that_others_are_in_the_way_is_told_apart(error: type[asyncpg.PostgresError], crowded: bool) -> None:
    assert isinstance(meaning(error("")), Crowded) is crowded
