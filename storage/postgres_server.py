"""A PostgreSQL server as it is met: dialled, asked what it is, and found good enough or not."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import msgspec
from asyncpg import exceptions

from collab.ports import StoreUnavailable
from storage.clock import real_ms
from storage.database import StoreRefused
from storage.postgres_errors import reason
from storage.postgres_pool import Connection

Durability: TypeAlias = Literal["relaxed", "disk", "replica"]
"""What a receipt survives: a crash of the server's processes alone; a power cut; the loss of the server's machine."""

OLDEST = 140_000
FORM = "postgresql://[user[:password]@]host[:port]/database, each part with its special signs in percents"
CONNECT_S = 2.0
STATEMENTS = 512
"""Of a connection, kept prepared."""
SETTINGS = {
    "application_name": "codraw",
    "statement_timeout": "2000",
    "lock_timeout": "1000",
    "idle_in_transaction_session_timeout": "2000",
    "jit": "off",
    "default_transaction_isolation": "read committed",
}
"""In milliseconds: nobody waits for a server that does not get on, and nobody else for a process that was stopped."""
FACTS = (
    "SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(),"
    " current_setting('transaction_read_only') = 'on', current_setting('fsync') = 'on',"
    " current_setting('full_page_writes') = 'on', current_setting('server_encoding'),"
    " current_setting('synchronous_commit'), current_setting('synchronous_standby_names') <> '',"
    " (SELECT system_identifier::text FROM pg_control_system()) || '/' || CASE WHEN pg_is_in_recovery() THEN ''"
    " ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,"
    " (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
)
POOLED = "unsupported startup parameter"
"""Said by a proxy that pools, of the settings in the greeting."""
_NEVER = (
    exceptions.InvalidAuthorizationSpecificationError,
    exceptions.InvalidCatalogNameError,
    exceptions.InsufficientPrivilegeError,
    # an option behind the ? that the server does not know, or not so
    exceptions.UndefinedObjectError,
    exceptions.InvalidParameterValueError,
)
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ssl.SSLError)
"""Also what is said of the socket file of a server that is away, and of TLS with one that is there."""
FILES = {
    "sslrootcert": "certificate",
    "sslcrl": "list of revoked certificates",
    "sslkey": "key",
    "sslcert": "certificate for which sslkey and sslpassword are right",
}
"""Options behind the ? that name one, and what is in it."""


class Server(msgspec.Struct, frozen=True):
    """`identity`: system identifier and timeline, of which a promotion or a restored backup changes one."""

    version: int
    standby: bool
    read_only: bool
    fsync: bool
    full_page_writes: bool
    encoding: str
    synchronous_commit: str
    has_replica: bool
    identity: str
    offset_ms: int

    def refusal(self, durability: Durability) -> str | None:
        if self.version < OLDEST:
            return f"PostgreSQL {self.version // 10_000} is older than 14, which is needed."
        if self.standby:
            return "The PostgreSQL server is a standby: name the primary."
        if self.read_only:
            return "The PostgreSQL server takes no writes (default_transaction_read_only is on)."
        if self.encoding != "UTF8":
            return f"The database is encoded as {self.encoding}; it has to be UTF8."
        if durability != "relaxed" and not (self.fsync and self.full_page_writes):
            setting = "full_page_writes" if self.fsync else "fsync"
            return f"The PostgreSQL server runs with {setting} off: what was acknowledged would not survive a crash."
        if durability == "replica" and not self.has_replica:
            return "The PostgreSQL server waits for no replica: synchronous_standby_names is empty."
        return None


def local_settings(durability: Durability) -> str:
    """A statement that sets for its transaction what `dial` sets for a connection."""
    now = "current_setting('synchronous_commit')"
    synchronous = "'off'" if durability == "relaxed" else f"CASE {now} WHEN 'off' THEN 'on' ELSE {now} END"
    values = {name: f"'{value}'" for name, value in SETTINGS.items()} | {"synchronous_commit": synchronous}
    return "SELECT " + ", ".join(f"set_config('{name}', {value}, true)" for name, value in values.items())


async def dial(url: str, durability: Durability, statement_cache: bool) -> tuple[Connection, Server]:
    """Raises StoreRefused for what will not pass by waiting, else StoreUnavailable."""
    settings = dict(SETTINGS) if durability != "relaxed" else {**SETTINGS, "synchronous_commit": "off"}
    try:
        # A proxy that pools refuses settings in the greeting: there they are set, as far as it lets them last.
        connection: Connection = await asyncpg.connect(
            url,
            timeout=CONNECT_S,
            command_timeout=2 * CONNECT_S,
            statement_cache_size=STATEMENTS if statement_cache else 0,
            max_cached_statement_lifetime=0,
            server_settings=settings if statement_cache else None,
        )
    except (*_NEVER, asyncpg.InterfaceError) as error:
        raise StoreRefused(f"The PostgreSQL store cannot be opened ({error}).") from None
    except ssl.SSLCertVerificationError as error:
        sentence = f"The PostgreSQL store cannot be opened: its certificate is not accepted ({error.verify_message})."
        raise StoreRefused(sentence) from None
    except ValueError:
        # its text may quote a part of the password
        raise StoreRefused(f"The PostgreSQL store cannot be opened: its address is not of the form {FORM}.") from None
    except (asyncpg.PostgresError, asyncpg.InternalClientError, OSError, EOFError) as error:
        if statement_cache and POOLED in str(error):
            raise StoreRefused(f"A proxy that pools ({error}) needs CODRAW_STORE_STATEMENT_CACHE=false.") from None
        if isinstance(error, _NO_FILE) and (why := _unfit(url)):
            raise StoreRefused(f"The PostgreSQL store cannot be opened: {why}.") from None
        raise StoreUnavailable(reason(error)) from None
    try:
        if not statement_cache:
            await _set(connection, settings)
        server = await examined(connection)
        if durability != "relaxed" and server.synchronous_commit == "off":
            await _set(connection, {"synchronous_commit": "on"})
    except BaseException as error:
        connection.terminate()
        if not isinstance(error, Exception):
            raise
        raise StoreUnavailable(reason(error)) from None
    return connection, server


async def examined(connection: Connection) -> Server:
    asked_ms = real_ms()
    row = await connection.fetchrow(FACTS)
    answered_ms = real_ms()
    if row is None:
        raise EOFError("no answer")
    *facts, clock_ms = row
    found = [*facts, clock_ms - (asked_ms + answered_ms) // 2]
    return Server(*found)


def _unfit(url: str) -> str | None:
    """Of the files that an address names, the first that is of no use, and why."""
    options = dict(parse_qsl(urlsplit(url).query))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, holds in FILES.items():
        path = options.get(name)
        if path is None:
            continue
        try:
            Path(path).open("rb").close()
            if name == "sslcert":
                tls.load_cert_chain(path, options.get("sslkey"), lambda: options.get("sslpassword", ""))
            elif name != "sslkey":
                tls.load_verify_locations(path)
        except ssl.SSLError:
            return f"{name} names {path}, which holds no {holds}"
        except OSError as error:
            return f"{name} names {path}, which cannot be read ({error.strerror})"
    return None


async def _set(connection: Connection, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        await connection.execute("SELECT set_config($1, $2, false)", name, value)
