"""The file of a SQLite store: its settings, its lock, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from collab.ports import StoreUnavailable
from storage.database import StoreRefused, Transaction
from storage.sqlite import SqliteDatabase, sqlite_path
from tests.support.keyed import CREATE, insert, keys

ROOT = Path(__file__).parents[2]


def setting(keyed: SqliteDatabase, name: str) -> Any:
    async def ask(tx: Transaction) -> Any:
        return (await tx.fetch(f"PRAGMA {name}"))[0][0]

    return ask


async def test_I1_the_disk_is_asked_for_the_truth(keyed: SqliteDatabase) -> None:
    for name, value in (("journal_mode", "wal"), ("synchronous", 2), ("temp_store", 2), ("foreign_keys", 1)):
        assert await keyed.transaction(setting(keyed, name)) == value


async def test_a_second_process_is_refused(keyed: SqliteDatabase) -> None:
    script = "import pathlib, sys, storage.sqlite as s; s.SqliteDatabase(pathlib.Path(sys.argv[1]))"
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(keyed.path), stderr=subprocess.PIPE, cwd=ROOT
    )
    _, errors = await run.communicate()
    assert run.returncode == 1
    assert f"StoreRefused: The store {keyed.path} is in use by another process." in errors.decode()


async def test_nobody_gets_in_by_a_link_to_the_file(keyed: SqliteDatabase, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(keyed.path)
    with pytest.raises(StoreRefused, match="in use by another process"):
        SqliteDatabase(link)


async def test_others_may_read_meanwhile(keyed: SqliteDatabase) -> None:
    await keyed.transaction(lambda tx: insert(tx, 1))
    with contextlib.closing(sqlite3.connect(keyed.path)) as foreign:
        assert foreign.execute("SELECT k FROM t").fetchall() == [(1,)]


async def test_a_closed_store_has_done_what_was_asked_and_does_no_more(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "codraw.db")
    made = asyncio.create_task(database.transaction(lambda tx: tx.execute(CREATE)))
    await asyncio.sleep(0)
    await database.close()
    await database.close()
    await made
    with pytest.raises(StoreUnavailable):
        await database.transaction(lambda tx: insert(tx, 1))
    again = SqliteDatabase(tmp_path / "codraw.db")
    assert await keys(again) == []
    await again.close()


def test_an_older_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.36.0")
    with pytest.raises(StoreRefused, match=r"^SQLite 3\.36\.0 is older than 3\.37, which is needed\.$"):
        SqliteDatabase(tmp_path / "codraw.db")


def foreign_file(folder: Path) -> Iterator[Path]:
    yield folder / "no such folder" / "codraw.db"
    (folder / "text.db").write_text("this is no database, but it is long enough to look at" * 100)
    yield folder / "text.db"
    yield folder


def test_a_file_that_is_refused_is_closed_at_once(tmp_path: Path) -> None:
    """And not when its connection is collected, of which Python complains from 3.13 on."""
    (path := tmp_path / "text.db").write_text("this is no database, but it is long enough to look at" * 100)
    with pytest.raises(StoreRefused) as refused:
        SqliteDatabase(path)
    # as long as it is looked at, whoever raised it is there with all that they have in hand
    assert refused.value.__context__ is not None
    assert path not in [Path(file.path) for file in psutil.Process().open_files()]


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    for path in foreign_file(tmp_path):
        with pytest.raises(StoreRefused):
            SqliteDatabase(path)
    (tmp_path / "text.db").write_bytes(b"")
    database = SqliteDatabase(tmp_path / "text.db")
    asyncio.run(database.close())


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///codraw.db", "codraw.db"), ("sqlite:////var/lib/codraw.db", "/var/lib/codraw.db")]
)
def test_the_address_of_a_store(url: str, path: str) -> None:
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite://x", "postgresql://x/y", "", "x.db"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(StoreRefused):
        sqlite_path(url)


async def test_one_statement_that_only_reads_needs_no_work_around_it(keyed: SqliteDatabase) -> None:
    await keyed.transaction(lambda tx: insert(tx, 1, "x"))
    assert await keyed.fetch("SELECT v FROM t WHERE k = ANY($1)", [1, 2]) == [("x",)]
    with pytest.raises(StoreUnavailable):
        await keyed.fetch("DELETE FROM t RETURNING k")


@pytest.mark.parametrize(
    "lock", ["FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE", "FOR UPDATE SKIP LOCKED", "FOR UPDATE OF t SKIP LOCKED"]
)
async def test_rows_are_locked_by_being_the_only_writer(keyed: SqliteDatabase, lock: str) -> None:
    await keyed.transaction(lambda tx: insert(tx, 1))

    async def work(tx: Transaction) -> int:
        await tx.alone("name", patient=True)
        await tx.fetch(f"SELECT k FROM t WHERE k = $1 {lock}", 1)
        return await tx.execute(f"DELETE FROM t WHERE k IN (SELECT k FROM t LIMIT 5 {lock})")

    assert await keyed.transaction(work) == 1


def test_what_has_no_meaning_here_is_left_out_of_the_schema(database: SqliteDatabase) -> None:
    assert database.schema_text("ALTER TABLE diagram_head SET (fillfactor = 50)") == ""
    assert database.schema_text("ALTER TABLE a DROP CONSTRAINT a_b_fkey") == ""
    kept = "ALTER TABLE ticket ADD COLUMN by_cookie bigint NOT NULL DEFAULT 0"
    assert database.schema_text(kept) == kept.replace("bigint", "INTEGER")
