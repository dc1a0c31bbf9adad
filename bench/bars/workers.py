"""B10: a room split between two workers with PostgreSQL and Redis; what a delivery costs the worker that has no sender.

1. Local: all editors on one worker. Its CPU by delivery, with everything an operation costs it.
2. Remote: the same senders on the first worker, all listeners on the second. The second one's CPU by delivery.
3. Misses: senders on both, 100 operations a second on one diagram; commits that found another head than they awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.bars.codraw_rooms import SETTINGS, People, Room, Seat, plan
from bench.bars.contestants import serve
from bench.bars.judge import unmeasured
from bench.bars.programs import CPUS, ROOT, Failed, Process, generated, started
from bench.growth.results import Row
from bench.loads import STATEMENTS, counting_binaries, execute, misses
from bench.peers import Load
from codraw.local_stores import LocalPostgres, LocalRedis, LocalStoreFailed

EDITORS, SENDERS = 100, 10
OPERATIONS_PER_SECOND = 100
MOST, MOST_MISSED = 1.5, 5.0
ALL_CPUS = frozenset(CPUS)


class House:
    """PostgreSQL, Redis and two workers, all on all cores."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        binaries = counting_binaries()
        try:
            self._postgres = LocalPostgres(folder / "postgres", binaries=binaries)
            self._redis = LocalRedis(folder / "redis")
        except LocalStoreFailed as failed:
            raise Failed(str(failed)) from failed
        self.counts_misses = binaries is not None
        self.workers: list[Process] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        try:
            self._start()
            yield
        except LocalStoreFailed as failed:
            raise Failed(str(failed)) from failed
        finally:
            for worker in self.workers:
                worker.stop()
            self._redis.stop()
            self._postgres.stop()

    def _start(self) -> None:
        self._postgres.start()
        self._redis.start()
        if self.counts_misses:
            asyncio.run(execute(self._postgres.url, f"ALTER SYSTEM SET shared_preload_libraries = '{STATEMENTS}'"))
            self._postgres.stop()
            self._postgres.start()
            asyncio.run(execute(self._postgres.url, f"CREATE EXTENSION {STATEMENTS}"))
        stores = {"CODRAW_STORE_URL": self._postgres.url, "CODRAW_REDIS_URL": self._redis.url}
        for number in range(2):
            log = self._folder / f"worker{number}.log"
            environment = {**SETTINGS, **stores, "PYTHONPATH": str(ROOT)}
            self.workers.append(started(serve, log, environment, ALL_CPUS))

    def misses(self) -> tuple[int, int]:
        """(commits tried, commits that missed) since it was last asked."""
        found = asyncio.run(misses(self._postgres.url))
        asyncio.run(execute(self._postgres.url, "SELECT pg_stat_statements_reset()"))
        return found["commits_tried"], found["misses"]


def rows(generator: Path, folder: Path, rounds: int, seconds: float, seed: int) -> list[Row]:
    """Raises Failed."""
    house = House(folder)
    with house.open():
        people = People(house.workers[0].port)
        try:
            return [*_costs(house, people, generator, rounds, seconds, seed), _missed(house, people, generator, seed)]
        finally:
            people.close()


def _costs(
    house: House, people: People, generator: Path, rounds: int, seconds: float, seed: int
) -> Iterator[Row]:  # fmt: skip
    for told, window, rate in (
        ("saturated", 4, 0.0),
        (f"at {OPERATIONS_PER_SECOND} operations/s", 0, OPERATIONS_PER_SECOND / SENDERS),
    ):
        local: list[float] = []
        remote: list[float] = []
        for number in range(rounds):
            for worker, costs in ((0, local), (1, remote)):
                seats = [Seat(house.workers[0 if place < SENDERS else worker].port, 0 if place < SENDERS else worker)
                         for place in range(EDITORS)]  # fmt: skip
                load = _load(house, window, rate, seconds)
                result = _played(people, generator, load, seats, seed * 1_000 + 500 + number)
                costs.append(result["server_cpu_s"][worker] / max(result["groups"][worker]["deliveries"], 1) * 1e6)
        value, reference = median(remote), median(local)
        what = f"CPU us of a delivery by the other worker, 1x{EDITORS} {told}, against one by the sender's own"
        ratio = round(value / reference, 3)
        yield Row("B10", what, round(value, 2), round(reference, 2), ratio, f"<= {MOST:g} x", ratio <= MOST)


def _missed(house: House, people: People, generator: Path, seed: int) -> Row:
    bar_is, what = (
        f"<= {MOST_MISSED:g} %",
        f"% of commits that missed, {OPERATIONS_PER_SECOND} operations/s on one diagram",
    )
    if not house.counts_misses:
        return unmeasured("B10", f"{what} (no {STATEMENTS} here)", bar_is)
    house.misses()
    seats = [Seat(house.workers[place % 2].port, place % 2) for place in range(EDITORS)]
    load = _load(house, 0, OPERATIONS_PER_SECOND / SENDERS, 5.0)
    _played(people, generator, load, seats, seed * 1_000 + 900)
    tried, missed = house.misses()
    share = missed / max(tried, 1) * 100
    return Row("B10", f"{what}: {missed} of {tried}", round(share, 2), None, None, bar_is, share <= MOST_MISSED)


def _load(house: House, window: int, rate: float, seconds: float) -> Load:
    pids = tuple(worker.pid for worker in house.workers)
    return Load(
        port=house.workers[0].port, pids=pids, rooms=1, editors=EDITORS, senders=SENDERS, window=window, rate=rate,
        warm=0.5, seconds=seconds, sample=64,
    )  # fmt: skip


def _played(people: People, generator: Path, load: Load, seats: list[Seat], seed: int) -> dict[str, Any]:
    """A room of its own for each round; nothing is lost, refused or doubled."""
    room: Room = people.open_room(SENDERS)
    (result,) = generated(
        generator, f"seed {seed}\n{plan(load, [room], people.token, seats)}", load.seconds + load.warm, ALL_CPUS
    )
    if result["errors"] or result["lost"] or result["missing"]:
        raise Failed(f"{result['missing']} deliveries missing, {result['first_errors']}")
    if (vector := people.vector(room)) != result["sent_total"]:
        raise Failed(f"the diagram stands at {vector}, {result['sent_total']} operations were sent")
    people.end(room)
    return result
