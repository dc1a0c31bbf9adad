"""What an error on a connection to PostgreSQL means: ours, the key's, the moment's, or the store's."""

from __future__ import annotations

import asyncpg
from asyncpg import exceptions

from collab.ports import StoreUnavailable
from storage.database import CommitUnknown, Conflict, Crowded, StoreRefused

_OF_THE_DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)
_TROUBLE = ("08", "53", "57", "58", "F0", "XX")
"""Classes of SQLSTATE that speak of the server and not of the statement: connection, resources (a full disk),
intervention, system, configuration, internal."""
_REFUSED_NOW = (
    exceptions.LockNotAvailableError,
    exceptions.ReadOnlySQLTransactionError,
    exceptions.IdleInTransactionSessionTimeoutError,
)
_TOO_LONG = (exceptions.LockNotAvailableError, exceptions.QueryCanceledError)
"""Of one statement: the server gave it up in good order, and takes the next."""
_IN_THE_WAY = (exceptions.SerializationError, exceptions.DeadlockDetectedError)
STALE = (
    exceptions.InvalidCachedStatementError,
    exceptions.InvalidSQLStatementNameError,
    exceptions.DuplicatePreparedStatementError,
)
"""Of a statement that was prepared before the schema changed, or of which a pooling proxy knows nothing here."""


class Again(Exception):
    """Nothing happened, and it may well if it is done again: it got in another's way, or the connection broke."""


def is_answer(error: BaseException) -> bool:
    """Whether the server said no, and said it of this statement: then nothing of it happened and the connection is
    good; so it is where the driver would not send a value. Everything else leaves both open."""
    if not isinstance(error, asyncpg.PostgresError):
        return False
    if isinstance(error, exceptions.QueryCanceledError):
        return True
    # 40003: a proxy that lost its server says so of a statement that may have happened
    ended = (error.sqlstate or "08").startswith(("08", "57", "40003"))
    return not ended and not isinstance(error, exceptions.IdleInTransactionSessionTimeoutError)


def breaks(error: BaseException) -> bool:
    """Whether the connection is not to be used again."""
    return isinstance(error, _OF_THE_DRIVER) and not is_answer(error)


def meaning(error: Exception) -> Exception:
    """Of an error before the commit: nothing was written."""
    if not isinstance(error, _OF_THE_DRIVER):
        return error
    if isinstance(error, exceptions.UniqueViolationError):
        return Conflict(str(error))
    if isinstance(error, (*_IN_THE_WAY, *STALE)) or (breaks(error) and not isinstance(error, TimeoutError)):
        return Again(reason(error))
    if isinstance(error, (exceptions.InsufficientPrivilegeError, exceptions.InvalidSchemaNameError)):
        return StoreRefused(f"The PostgreSQL role may not do what is needed ({error}): the database has to be its own.")
    if isinstance(error, asyncpg.PostgresError) and not _is_trouble(error):
        return error
    kind = Crowded if isinstance(error, _TOO_LONG) else StoreUnavailable
    return kind(reason(error))


def meaning_of_commit(error: Exception) -> Exception:
    """Of an error of COMMIT, or of a statement that is its own transaction."""
    return CommitUnknown(reason(error)) if breaks(error) else meaning(error)


def reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _is_trouble(error: asyncpg.PostgresError) -> bool:
    return isinstance(error, _REFUSED_NOW) or (error.sqlstate or "08").startswith(_TROUBLE)
