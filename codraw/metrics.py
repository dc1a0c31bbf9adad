"""What a process tells of itself in numbers: the families, and a row for each value. `codraw.exposition` shows them.

Labels are closed sets, never an id, a name or anything else that a client may choose (WS13).
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from codraw import __version__
from codraw.health import Health
from codraw.logs import LINES
from codraw.stores import Stores
from collab.room_task import RoomTask
from collab.tally import BATCHES, SECONDS, Spread, Tally

Kind = Literal["counter", "gauge", "histogram"]
Row = tuple[str, Sequence[str], float | Sequence[float]]
"""Name, values of the labels, and a number; of a histogram the sum and then the counts of its buckets."""
Ask = Callable[[], Awaitable[Mapping[int, Sequence[Row] | None]]]
"""The rows of each worker, by its place; None: it does not answer."""
Show = Callable[[Ask], None]
"""Hears, in the event loop, whom to ask."""


class Family(msgspec.Struct, frozen=True):
    """`name` as Prometheus has it, a counter's without `_total`. `bounds`: of a histogram."""

    name: str
    kind: Kind
    help: str
    labels: Sequence[str] = ()
    bounds: Sequence[float] = ()


FAMILIES = (
    Family("codraw_build_info", "gauge", "1; which program this is", ("version", "python")),
    Family("codraw_ready", "gauge", "1 while the worker has found its store and is not told to leave"),
    Family("codraw_store_up", "gauge", "1 while the store answers and takes what is written"),
    Family("codraw_bus_healthy", "gauge", "1 while news from other workers comes through"),
    Family("codraw_rooms", "gauge", "Diagrams that are open"),
    Family("codraw_sessions", "gauge", "Collaboration sessions with somebody here"),
    Family("codraw_cells", "gauge", "Cells of the open diagrams"),
    Family("codraw_sockets", "gauge", "Connected sockets", ("dialect",)),
    Family("codraw_outbox_bytes", "gauge", "Bytes that wait for sockets to take them"),
    Family("codraw_operations", "counter", "Operations that got their outcome", ("dialect", "outcome")),
    Family("codraw_receipt_seconds", "histogram", "From an operation to its outcome, of sockets that wait for one only",
           bounds=SECONDS),
    Family("codraw_commit_seconds", "histogram", "Durable commits, as a room waits for them", bounds=SECONDS),
    Family("codraw_commit_operations", "histogram", "Operations of a commit", bounds=BATCHES),
    Family("codraw_commit_misses", "counter", "Commits before which another worker's came"),
    Family("codraw_deliveries", "counter", "Notices that were put before sockets", ("dialect",)),
    Family("codraw_corrections", "counter", "Copies that had drifted and were corrected"),
    Family("codraw_lags", "counter", "Sockets that got a full state since they did not take the events"),
    Family("codraw_rooms_behind", "counter", "Rooms that a look at the store found behind it"),
    Family("codraw_refused_upgrades", "counter", "Sockets that were not let in, by HTTP status", ("status",)),
    Family("codraw_closes", "counter", "Sockets that went, and why", ("reason",)),
    Family("codraw_bus_news", "counter", "News to and from other workers", ("what",)),
    Family("codraw_http_seconds", "histogram", "Requests over HTTP", ("route", "method", "status"), SECONDS),
    Family("codraw_loop_lag_seconds", "histogram", "How late the event loop is, each second", bounds=SECONDS),
    Family("codraw_log_lines", "counter", "Lines in the log", ("level",)),
    Family("process_cpu_seconds", "counter", "CPU time of the worker"),
    Family("process_resident_memory_bytes", "gauge", "Memory of the worker"),
    Family("process_open_fds", "gauge", "Open files and sockets of the worker"),
)  # fmt: skip
"""Beside `codraw_worker_up`, which the page adds."""


class Metrics:
    """Of a house: reads where others count. `requests`: seconds, by route, method and status."""

    def __init__(
        self,
        tally: Tally,
        stores: Stores,
        health: Health,
        requests: Mapping[tuple[str, str, str], Spread],
        rooms: Callable[[], Collection[RoomTask]],
    ) -> None:
        self._tally, self._stores, self._health, self._requests, self._rooms = tally, stores, health, requests, rooms

    def rows(self) -> Iterator[Row]:
        yield "codraw_ready", (), float(not self._health.draining)
        yield "codraw_store_up", (), float(self._health.store_there)
        yield "codraw_bus_healthy", (), float(self._stores.bus.healthy())
        yield from self._open_rooms()
        yield from self._counted()
        yield from _each("codraw_bus_news", self._stores.bus_counts())
        for key, spread in self._requests.items():
            yield "codraw_http_seconds", key, _buckets(spread)
        yield "codraw_loop_lag_seconds", (), _buckets(self._health.lag)

    def _open_rooms(self) -> Iterator[Row]:
        rooms = [room for room in self._rooms() if not room.closed]
        connected = [one for room in rooms for one in room.fanout.everybody()]
        states = [room.room.state for room in rooms]
        yield "codraw_rooms", (), len(rooms)
        yield "codraw_sessions", (), sum(state.session is not None and len(state.roster) > 0 for state in states)
        yield "codraw_cells", (), sum(len(state.replica.diagram.slots) for state in states)
        yield "codraw_outbox_bytes", (), sum(one.outbox.weight for one in connected)
        yield from _each("codraw_sockets", Counter(one.dialect.name for one in connected))

    def _counted(self) -> Iterator[Row]:
        tally = self._tally
        for key, number in tally.operations.items():
            yield "codraw_operations", key, number
        yield "codraw_receipt_seconds", (), _buckets(tally.receipts)
        yield "codraw_commit_seconds", (), _buckets(tally.commits)
        yield "codraw_commit_operations", (), _buckets(tally.batches)
        yield "codraw_commit_misses", (), tally.missed_commits
        yield from _each("codraw_deliveries", tally.deliveries)
        yield "codraw_corrections", (), tally.corrections
        yield "codraw_lags", (), tally.lags
        yield "codraw_rooms_behind", (), tally.behind
        yield from _each("codraw_refused_upgrades", {str(status): n for status, n in tally.refused.items()})
        yield from _each("codraw_closes", tally.closes)


def unseen(_: Ask) -> None:
    """Where nobody is to be shown anything."""


def of_process() -> Iterator[Row]:
    """What is known without a house."""
    yield "codraw_build_info", (__version__, platform.python_version()), 1
    yield from _each("codraw_log_lines", LINES)
    # Here: who shows nothing need not have it in memory.
    from prometheus_client import ProcessCollector  # noqa: PLC0415

    known = {family.name for family in FAMILIES}
    for family in ProcessCollector(registry=None).collect():
        if family.name in known:
            yield family.name, (), family.samples[0].value


def _each(name: str, numbers: Mapping[str, int]) -> Iterable[Row]:
    return ((name, (label,), number) for label, number in numbers.items())


def _buckets(spread: Spread) -> Sequence[float]:
    return (spread.total, *spread.counts)
