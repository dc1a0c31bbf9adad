"""What goes between a worker and Redis: publications seen on their way up, news mangled on their way down."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

MESSAGES = {b"message", b"pmessage", b"smessage"}
LONGEST_HELD_S = 0.3


def end_of(raw: bytes | bytearray, at: int = 0) -> int | None:
    """Where the RESP value that begins at `at` ends; None: not all of it is there yet."""
    line = raw.find(b"\r\n", at)
    if line < 0:
        return None
    kind, after = raw[at : at + 1], line + 2
    match kind:
        case b"$" | b"=" | b"!":
            size = int(raw[at + 1 : line])
            end = after if size < 0 else after + size + 2
            return end if end <= len(raw) else None
        case b"*" | b"~" | b">" | b"%" | b"|":
            count = max(0, int(raw[at + 1 : line])) * (2 if kind in b"%|" else 1) + (kind == b"|")
            for _ in range(count):
                end_of_part = end_of(raw, after)
                if end_of_part is None:
                    return None
                after = end_of_part
    return after


def words(value: bytes) -> list[bytes]:
    """The strings of a flat array; of anything else nothing."""
    if value[:1] not in (b"*", b">"):
        return []
    found, at = [], value.index(b"\r\n") + 2
    while at < len(value):
        end = end_of(value, at)
        if end is None:
            break
        if value[at : at + 1] == b"$":
            start = value.index(b"\r\n", at) + 2
            found.append(value[start : end - 2])
        else:
            found.append(value[at + 1 : end - 2])
        at = end
    return found


class Values:
    """Cuts a stream into RESP values."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._kept += data
        while self._kept and (end := end_of(self._kept)) is not None:
            value = bytes(self._kept[:end])
            del self._kept[:end]
            yield value


class Harm(msgspec.Struct):
    """What happens to single messages, each by chance; `shuffle`: that many go in another order."""

    drop: float = 0.0
    double: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.2
    shuffle: int = 0


class RedisWire:
    """The Redis connections of one worker. `harm` may be changed at any time; `done` counts what it did."""

    def __init__(self, seed: int) -> None:
        self.harm = Harm()
        self.chance = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.published: deque[tuple[bytes, bytes]] = deque(maxlen=500)
        """The newest publications: channel and payload."""
        self.on_publish: Callable[[str], bool] | None = None
        """Called `before` and `after` a PUBLISH is passed on; whether it is done with."""

    def filters(self) -> tuple[Commands, News]:
        return Commands(self), News(self)

    def passed(self, moment: str) -> None:
        if self.on_publish is not None and self.on_publish(moment):
            self.on_publish = None


class Commands:
    """Up: counts commands by name."""

    def __init__(self, wire: RedisWire) -> None:
        self._wire = wire
        self._values = Values()

    def feed(self, data: bytes) -> Iterator[bytes]:
        for value in self._values.feed(data):
            name, *rest = words(value) or [b""]
            command = name.decode("ascii", "replace").upper()
            self._wire.commands[command] += 1
            if command in ("PUBLISH", "SPUBLISH") and rest[1]:  # a worker's own beat is empty
                self._wire.published.append((rest[0], rest[1]))
                self._wire.passed("before")
                yield value
                self._wire.passed("after")
            else:
                yield value

    def late(self) -> Iterable[bytes]:
        return ()


class News:
    """Down: published messages, and everything else untouched."""

    def __init__(self, wire: RedisWire) -> None:
        self._wire = wire
        self._values = Values()
        self._shuffled: list[bytes] = []
        self._since = 0.0
        self._delayed: list[tuple[float, bytes]] = []

    def feed(self, data: bytes) -> Iterator[bytes]:
        for value in self._values.feed(data):
            if words(value)[:1] and words(value)[0] in MESSAGES:
                self._wire.done["messages"] += 1
                yield from self._message(value)
            else:
                yield value

    def _message(self, value: bytes) -> Iterator[bytes]:
        wire, harm = self._wire, self._wire.harm
        fate = wire.chance.random
        if fate() < harm.drop:
            wire.done["dropped"] += 1
            return
        if fate() < harm.corrupt:
            wire.done["corrupted"] += 1
            value = corrupted(value, wire.chance)
        copies = 1
        if fate() < harm.double:
            wire.done["doubled"] += 1
            copies = 2
        if fate() < harm.delay:
            wire.done["delayed"] += 1
            self._delayed.append((time.monotonic() + harm.delay_s, value * copies))
            return
        if harm.shuffle > 1:
            self._since = self._since if self._shuffled else time.monotonic()
            self._shuffled += [value] * copies
            if len(self._shuffled) >= harm.shuffle:
                yield from self._dealt()
            return
        yield value * copies

    def late(self) -> Iterator[bytes]:
        now = time.monotonic()
        if self._shuffled and now - self._since > LONGEST_HELD_S:
            yield from self._dealt()
        due = [value for at, value in self._delayed if at <= now]
        self._delayed = [kept for kept in self._delayed if kept[0] > now]
        yield from due

    def _dealt(self) -> Iterator[bytes]:
        dealt, self._shuffled = self._shuffled, []
        self._wire.chance.shuffle(dealt)
        self._wire.done["shuffled"] += len(dealt)
        yield from dealt


def corrupted(value: bytes, chance: random.Random) -> bytes:
    """One byte of the payload, the last string, is another one."""
    end = len(value) - 2
    start = value.rfind(b"\r\n", 0, end - int(_size_of_last(value))) + 2 if end > 0 else 0
    if start >= end:
        return value
    at = chance.randrange(start, end)
    return value[:at] + bytes((value[at] ^ 0x15,)) + value[at + 1 :]


def _size_of_last(value: bytes) -> int:
    return len(words(value)[-1])
