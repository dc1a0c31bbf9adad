"""Brings a store to the schema of this version: numbered files, a transaction each, every one applied once.

Laws: (1) a file that was released is never changed, a new one follows it; (2) a store that knows more steps than this
version is left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from storage.clock import real_ms
from storage.database import Database, StoreRefused, Transaction

HERE = Path(__file__).parent
NAME = "schema"
"""Held by whoever migrates: of many workers that start at once."""
_STEP = re.compile(r"(\d{4})_\w+\.sql")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)

_JOURNAL = """CREATE TABLE IF NOT EXISTS schema_migration (
    number bigint NOT NULL PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at bigint NOT NULL
)"""


class Step(msgspec.Struct, frozen=True):
    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self) -> Iterator[str]:
        """No statement of ours holds a semicolon."""
        for statement in _COMMENT.sub("", self.text).split(";"):
            if statement.strip():
                yield statement.strip()


def steps(folder: Path = HERE) -> tuple[Step, ...]:
    paths = sorted(path for path in folder.iterdir() if _STEP.fullmatch(path.name))
    return tuple(Step(int(path.name[:4]), path.name, path.read_text("utf-8")) for path in paths)


async def migrate(
    database: Database, known: Sequence[Step] | None = None, now_ms: Callable[[], int] = real_ms
) -> tuple[str, ...]:
    """The names of the steps it applied, in order. Raises StoreRefused."""
    known = steps() if known is None else known
    journal = database.schema_text(_JOURNAL)
    await database.transaction(partial(_begin, journal=journal))
    applied = []
    for step in known:
        statements = [text for statement in step.statements() if (text := database.schema_text(statement))]
        if await database.transaction(partial(_apply, known=known, step=step, statements=statements, at_ms=now_ms())):
            applied.append(step.name)
    return tuple(applied)


async def _begin(tx: Transaction, journal: str) -> None:
    await tx.alone(NAME, patient=True)
    await tx.execute(journal)


async def _apply(tx: Transaction, known: Sequence[Step], step: Step, statements: Sequence[str], at_ms: int) -> bool:
    """The journal is read in the transaction that adds to it: another process may migrate at the same moment."""
    await tx.alone(NAME, patient=True)
    journal = {number: sha256 for number, sha256 in await tx.fetch("SELECT number, sha256 FROM schema_migration")}
    _check(journal, known)
    if step.number in journal:
        return False
    for statement in statements:
        await tx.execute(statement)
    insert = "INSERT INTO schema_migration (number, name, sha256, applied_at) VALUES ($1, $2, $3, $4)"
    await tx.execute(insert, step.number, step.name, step.sha256, at_ms)
    return True


def _check(journal: dict[int, str], known: Sequence[Step]) -> None:
    ours = {step.number: step.sha256 for step in known}
    if newer := journal.keys() - ours.keys():
        raise StoreRefused(
            f"The store has schema {max(newer):04}, which is newer than this version of codraw ({max(ours):04})."
        )
    for number, sha256 in journal.items():
        if ours[number] != sha256:
            raise StoreRefused(f"Step {number:04} of the schema was changed after this store had taken it.")
