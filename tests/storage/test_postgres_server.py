"""A PostgreSQL server as it is met."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from collab.ports import StoreUnavailable
from storage.clock import real_ms
from storage.database import StoreRefused
from storage.postgres import PostgresDatabase
from storage.postgres_server import Durability, Server, dial
from tests.support.balancer import certify

AWAY = "postgresql://codraw@127.0.0.1:9/codraw"
GOOD = Server(160_004, False, False, True, True, "UTF8", "on", False, "7/00000001", 0)


@pytest.mark.parametrize(
    ("differs", "durability", "says"),
    [
        ({}, "disk", None),
        ({"version": 140_000}, "disk", None),
        ({"version": 130_014}, "disk", "PostgreSQL 13 is older than 14"),
        ({"standby": True}, "disk", "is a standby"),
        ({"read_only": True}, "disk", "takes no writes"),
        ({"encoding": "SQL_ASCII"}, "disk", "has to be UTF8"),
        ({"fsync": False}, "disk", "with fsync off"),
        ({"full_page_writes": False}, "disk", "with full_page_writes off"),
        ({"fsync": False}, "replica", "with fsync off"),
        ({"fsync": False}, "relaxed", None),
        ({}, "replica", "waits for no replica"),
        ({"has_replica": True}, "replica", None),
    ],
)
def test_a_server_that_would_not_keep_what_it_acknowledges_is_refused(
    differs: dict[str, object], durability: Durability, says: str | None
) -> None:
    sentence = msgspec.structs.replace(GOOD, **differs).refusal(durability)
    assert sentence == says if says is None else says in str(sentence)


async def test_a_server_tells_what_it_is(postgres: PostgresDatabase) -> None:
    before = real_ms()
    connection, server = await dial(postgres.url, "relaxed", True)
    await connection.close()
    assert server.refusal("relaxed") is None
    assert server.version >= 140_000
    assert server.identity == await postgres.identity()
    number, _, timeline = server.identity.partition("/")
    assert number.isdecimal() and int(timeline, 16) >= 1
    # the clocks are one, read a little before or after
    assert abs(server.offset_ms) <= real_ms() - before + 1


@pytest.mark.parametrize("option", ["sslrootcert", "sslcert", "sslcrl"])
async def test_a_file_that_cannot_be_read_is_refused_and_not_waited_for(tmp_path: Path, option: str) -> None:
    missing = tmp_path / "not there.crt"
    with pytest.raises(StoreRefused, match=f"{option} names {missing}, which cannot be read"):
        await dial(f"{AWAY}?sslmode=require&{option}={quote(str(missing))}", "disk", True)


@pytest.mark.parametrize("option", ["sslrootcert", "sslcert", "sslcrl"])
async def test_a_file_that_holds_something_else_is_refused_and_not_waited_for(tmp_path: Path, option: str) -> None:
    other = tmp_path / "other.crt"
    other.write_text("no certificate\n")
    with pytest.raises(StoreRefused, match=f"{option} names {other}, which holds no"):
        await dial(f"{AWAY}?sslmode=require&{option}={quote(str(other))}", "disk", True)


async def test_a_certificate_with_the_key_of_another_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    for folder in (tmp_path, tmp_path / "another"):
        certify(folder)
    files = f"sslcert={tmp_path}/fullchain.pem&sslkey={tmp_path}/another/privkey.pem"
    with pytest.raises(StoreRefused, match="for which sslkey and sslpassword are right"):
        await dial(f"{AWAY}?sslmode=require&{files}", "disk", True)


async def test_files_that_are_good_are_no_reason_to_refuse(tmp_path: Path) -> None:
    certify(tmp_path)
    chain = f"{tmp_path}/fullchain.pem"
    with pytest.raises(StoreUnavailable):
        await dial(
            f"{AWAY}?sslmode=require&sslrootcert={chain}&sslcert={chain}&sslkey={tmp_path}/privkey.pem", "disk", True
        )


async def test_a_file_that_is_not_needed_keeps_nobody_from_waiting() -> None:
    with pytest.raises(StoreUnavailable):
        await dial(f"{AWAY}?sslrootcert=/not/there.crt", "disk", True)


@pytest.mark.parametrize(
    ("ours", "why"), [("theirs", "IP address mismatch"), ("another", "self[- ]signed certificate")]
)
async def test_a_certificate_that_is_not_accepted_is_named_as_the_reason(tmp_path: Path, ours: str, why: str) -> None:
    for name in ("theirs", "another"):
        (tmp_path / name).mkdir()
        certify(tmp_path / name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "theirs/fullchain.pem", tmp_path / "theirs/privkey.pem")

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # whether it speaks TLS
        writer.write(b"S")
        with suppress(OSError):
            await writer.start_tls(context)
        writer.close()

    async with await asyncio.start_server(welcome, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://codraw@127.0.0.1:{port}/codraw?sslmode=verify-full"
        with pytest.raises(StoreRefused, match=f"its certificate is not accepted .*{why}"):
            await dial(f"{url}&sslrootcert={quote(str(tmp_path / ours / 'fullchain.pem'))}", "disk", True)
