"""What a worker asks PostgreSQL, seen on its way: statements by what they are for, and cuts inside a commit."""

from __future__ import annotations

import hashlib
import re
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from tests.campaign.proxy import Cut

STARTUP = 196_608
KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("commit", re.compile(r"UPDATE\s+diagram_head\s+SET\s+vector", re.IGNORECASE)),
    ("claim under lock", re.compile(r"FROM\s+diagram_head.*FOR\s+(NO KEY\s+)?UPDATE", re.IGNORECASE | re.DOTALL)),
    ("snapshot", re.compile(r"INSERT\s+INTO\s+diagram_snapshot[^$]*\$1, \$2, \$3", re.IGNORECASE)),
    ("append", re.compile(r"INSERT\s+INTO\s+diagram_op\b", re.IGNORECASE)),
    ("known outcomes", re.compile(r"FROM\s+diagram_outcome\s+WHERE\s+diagram\s*=.*operation_id", re.I | re.S)),
    ("ticket", re.compile(r"DELETE\s+FROM\s+ticket\s+WHERE\s+sha256", re.IGNORECASE)),
    ("head poll", re.compile(r"FROM\s+diagram_head\s+\w+\s+LEFT\s+JOIN\s+session", re.IGNORECASE)),
    ("tail", re.compile(r"FROM\s+diagram_op\s+WHERE\s+diagram\s*=\s*\$1.*vector\s*>", re.IGNORECASE | re.DOTALL)),
    ("load", re.compile(r"FROM\s+diagram_snapshot", re.IGNORECASE)),
    ("keep-alive", re.compile(r"UPDATE\s+session\s+SET\s+(seen_at|active_at)", re.IGNORECASE)),
    ("end of transaction", re.compile(r"^\s*COMMIT\b", re.IGNORECASE)),
)


UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def digest(parameters: bytes) -> bytes:
    return hashlib.sha256(b"".join(sorted(set(UUID.findall(parameters))))).digest()


def kind_of(sql: str) -> str:
    return next((kind for kind, pattern in KINDS if pattern.search(sql)), "other")


class Asked(msgspec.Struct, frozen=True):
    """One execution. `digest`: of the ids among its parameters; the same batch asked again has the same."""

    kind: str
    digest: bytes
    parameters: bytes


Watch = Callable[[str, Asked], str | None]
"""Told `sent` and `answered`; says `before` or `after` to cut the connection there, else nothing."""


class PostgresWire:
    """The database connections of one worker. `counts` by kind of statement; `again`: commits asked a second time."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.again = 0
        self.watch: Watch | None = None
        self._open: set[bytes] = set()
        """Commits that have no answer yet, or never got one."""

    def filters(self) -> tuple[Questions, Answers]:
        questions = Questions(self)
        return questions, Answers(self, questions)

    def sent(self, asked: Asked) -> str | None:
        self.counts[asked.kind] += 1
        if asked.kind == "commit":
            self.again += asked.digest in self._open
            self._open.add(asked.digest)
        return self.watch("sent", asked) if self.watch is not None else None

    def answered(self, asked: Asked) -> None:
        self._open.discard(asked.digest)
        if self.watch is not None:
            self.watch("answered", asked)


class Questions:
    """Up: follows statements, portals and simple queries; whole messages only are passed on."""

    def __init__(self, wire: PostgresWire) -> None:
        self._wire = wire
        self._kept = bytearray()
        self._started = False
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, Asked] = {}
        self.waiting: deque[Asked | None] = deque()
        """One for each Sync or query whose ReadyForQuery has not come."""
        self._batch: Asked | None = None
        self._doomed: str | None = None
        self._transaction: list[Asked] | None = None
        """What an explicit transaction has done so far."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._kept += data
        passed = b""
        while (size := self._size()) is not None and len(self._kept) >= size:
            message = bytes(self._kept[:size])
            del self._kept[:size]
            act = self._see(message)
            if act == "before":
                raise Cut(passed)
            passed += message
            if act == "after":
                raise Cut(passed)
        if passed:
            yield passed

    def late(self) -> Iterable[bytes]:
        return ()

    def _size(self) -> int | None:
        offset = 1 if self._started else 0
        if len(self._kept) < offset + 4:
            return None
        return offset + int(struct.unpack_from("!I", self._kept, offset)[0])

    def _see(self, message: bytes) -> str | None:
        if not self._started:
            self._started = struct.unpack_from("!I", message, 4)[0] == STARTUP
            return None
        body = message[5:]
        match message[:1]:
            case b"Q":
                asked = self._query(_text(body, 0)[0])
                self.waiting.append(asked)
                return self._wire.sent(asked)
            case b"P":
                name, at = _raw(body, 0)
                self._statements[name] = _text(body, at)[0]
            case b"B":
                portal, at = _raw(body, 0)
                name, at = _raw(body, at)
                parameters = body[at:]
                kind = kind_of(self._statements.get(name, ""))
                self._portals[portal] = Asked(kind, digest(parameters), parameters)
            case b"E":
                return self._execute(_raw(body, 0)[0])
            case b"S":
                self.waiting.append(self._batch)
                self._batch = None
                act, self._doomed = self._doomed, None
                return act
        return None

    def _query(self, sql: str) -> Asked:
        word = (sql.split() or [""])[0].rstrip(";").upper()
        if word in ("BEGIN", "START"):
            self._transaction = []
        elif word in ("COMMIT", "END", "ROLLBACK") and self._transaction is not None:
            done, self._transaction = self._transaction, None
            if word != "ROLLBACK" and any(asked.kind == "claim" for asked in done):
                parameters = b"".join(asked.parameters for asked in done)
                return Asked("commit", digest(parameters), parameters)
        return Asked(kind_of(sql), b"", b"")

    def _execute(self, portal: bytes) -> str | None:
        asked = self._portals.get(portal)
        if asked is None:
            return None
        if self._transaction is not None:
            # The commit is the end of the transaction.
            asked = Asked("claim", asked.digest, asked.parameters) if asked.kind == "commit" else asked
            self._transaction.append(asked)
        if self._batch is None or self._batch.kind != "commit":
            self._batch = asked
        act = self._wire.sent(asked)
        # What comes after the Execute belongs to it: without its Sync the server would not answer at all.
        self._doomed = act if act == "after" else self._doomed
        return act if act == "before" else None


class Answers:
    """Down: tells when a statement's ReadyForQuery passes."""

    def __init__(self, wire: PostgresWire, questions: Questions) -> None:
        self._wire = wire
        self._questions = questions
        self._kept = bytearray()
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._kept += data
        if not self._started:
            if bytes(self._kept) in (b"N", b"S"):
                self._kept.clear()
                yield data
                return
            self._started = True
        while len(self._kept) >= 5:
            size = 1 + int(struct.unpack_from("!I", self._kept, 1)[0])
            if len(self._kept) < size:
                break
            ready = self._kept[:1] == b"Z"
            del self._kept[:size]
            if ready and self._questions.waiting:
                asked = self._questions.waiting.popleft()
                if asked is not None:
                    self._wire.answered(asked)
        yield data

    def late(self) -> Iterable[bytes]:
        return ()


def _raw(body: bytes, at: int) -> tuple[bytes, int]:
    end = body.index(b"\0", at)
    return body[at:end], end + 1


def _text(body: bytes, at: int) -> tuple[str, int]:
    raw, end = _raw(body, at)
    return raw.decode("utf-8", "replace"), end
