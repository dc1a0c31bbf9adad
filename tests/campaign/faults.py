"""What is done to the cluster, fault by fault, and what must then have run for the round to count."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.campaign.checker import Ended, Withdrawn
from tests.campaign.editors import Place, Seat, Subject
from tests.campaign.postgres_wire import Asked
from tests.campaign.proxy import Proxy
from tests.campaign.redis_wire import Harm
from tests.campaign.round import FULL, QUICK, Fault, Round, Size
from tests.campaign.stage import Worker
from tests.support.client import CodrawV1, Tmi, add
from tests.support.tree import ROOT

PAUSE_S = 3.0
OUTAGE_S = 3.0
RECEIPT = (b"operation_accepted", b"diagram_operation_event")


class Part(msgspec.Struct, frozen=True):
    """One fault. `quick`, `full`: how many rounds of it. `needs`: recoveries without which a round does not count."""

    id: str
    what: str
    act: Fault
    quick: int = 1
    full: int = 10
    needs: tuple[str, ...] = ()
    quick_size: Size = QUICK
    full_size: Size = FULL
    supervised: bool = False
    """One parent with several workers on one port, instead of several on ports of their own."""


# F1-F3: workers -------------------------------------------------------------------------------------------------------


async def kills(round: Round) -> None:
    """F1."""
    for _ in range(7):
        await round.operations(80)
        await killed(round, round.worker())
        round.injected["kill -9 of a worker"] += 1


async def killed(round: Round, worker: Worker, away_s: float = 0.4) -> None:
    worker.kill()
    await asyncio.sleep(away_s)
    await worker.start()
    await round.receipts(5)


def at_commit(moment: str, part: bytes = b"", kind: str = "commit") -> Callable[[Worker, Callable[[], None]], None]:
    """When such a statement is on its way to the store, or its answer on its way back."""

    def arm(worker: Worker, fire: Callable[[], None]) -> None:
        def watch(now: str, asked: Asked) -> str | None:
            if now == moment and asked.kind == kind and part in asked.parameters:
                worker.postgres.watch = None
                fire()
                return "before" if now == "sent" else None
            return None

        worker.postgres.watch = watch

    return arm


def at_receipt(worker: Worker, fire: Callable[[], None]) -> None:
    worker.spotter.needles, worker.spotter.spotted = RECEIPT, fire


def at_publish(moment: str) -> Callable[[Worker, Callable[[], None]], None]:
    def arm(worker: Worker, fire: Callable[[], None]) -> None:
        def passed(now: str) -> bool:
            if now == moment:
                fire()
            return now == moment

        worker.redis.on_publish = passed

    return arm


MARKS: dict[str, Callable[[Worker, Callable[[], None]], None]] = {
    "before commit": at_commit("sent"),
    "after commit": at_commit("answered"),
    "after receipt": at_receipt,
    "before publish": at_publish("before"),
    "after publish": at_publish("after"),
    "in undo": at_commit("answered", b"undo"),
    "in join": at_commit("answered", kind="ticket"),
    "in snapshot": at_commit("sent", kind="snapshot"),
}


async def marks(round: Round) -> None:
    """F2: killed at the very moment."""
    for name, arm in MARKS.items():
        await round.operations(20)
        hit: list[Worker] = []
        for worker in round.stage.workers:
            arm(worker, partial(_once, hit, worker))
        await _provoke(round, name, hit)
        for worker in round.stage.workers:
            worker.postgres.watch = worker.redis.on_publish = worker.spotter.spotted = None
        if hit:
            round.injected[f"kill -9 {name}"] += 1
            await asyncio.sleep(0.3)
            await hit[0].start()
            await round.receipts(5)
        else:
            round.problems.append(f"does not count: no kill {name}")


def _once(hit: list[Worker], worker: Worker) -> None:
    if not hit:
        hit.append(worker)
        worker.kill()


async def _provoke(round: Round, name: str, hit: list[Worker]) -> None:
    if name == "in join":
        for seat in round.seats[:4]:
            seat.editor.cut()
    if name == "in snapshot":
        # One is taken every 500 operations.
        subject = round.subjects[-1]
        hasty = round.join(subject, CodrawV1, await round.guests.get("hasty"), rate=200.0)
        hasty.outstanding = 64
        await round.until(lambda: bool(hit), 60.0, f"a moment {name}")
        hasty.quiet.set()
        return
    await round.until(lambda: bool(hit), 20.0, f"a moment {name}")


async def pauses(round: Round) -> None:
    """F3: SIGSTOP."""
    worker = round.worker()
    await round.operations(60)
    worker.pause()
    round.injected["SIGSTOP"] += 1
    others = [seat for seat in round.seats if seat.worker is not worker]
    before = len(round.clock.receipts)
    await asyncio.sleep(PAUSE_S)
    round.notes["receipts elsewhere meanwhile"] = len(round.clock.receipts) - before
    if others and len(round.clock.receipts) == before:
        round.problems.append("nobody got a receipt while another worker stood still")
    worker.go_on()
    round.healed()
    await round.operations(60)


# F4-F8: the bus -------------------------------------------------------------------------------------------------------


async def redis_gone(round: Round) -> None:
    """F4."""
    redis = round.redis
    for name, how in {
        "kill -9": redis.kill,
        "SHUTDOWN": redis.stop,
        "FLUSHALL": None,
        "empty restart": redis.stop,
    }.items():
        await round.operations(60)
        before = len(round.clock.deliveries)
        if how is None:
            await redis_says(redis.port, "FLUSHALL")
        else:
            away_s = 0.05 if name == "empty restart" else OUTAGE_S
            await round.restart(redis, how, away_s)
        round.injected[f"Redis {name}"] += 1
        await round.receipts(20)
        late = [seconds for _, seconds in round.clock.deliveries[before:]]
        round.notes[f"longest delivery, Redis {name}"] = round_s(max(late, default=0.0))
    await asyncio.sleep(2.0)


async def bus_cut(round: Round) -> None:
    """F6: one worker at a time."""

    def one_way(proxy: Proxy) -> None:
        proxy.down.hold()

    def half_open(proxy: Proxy) -> None:
        proxy.forget()

    ways: dict[str, Callable[[Proxy], object]] = {
        "drop": Proxy.black_hole, "reset": Proxy.refuse, "half-open": half_open, "one-way": one_way,
    }  # fmt: skip
    for name, how in ways.items():
        worker = round.worker()
        assert worker.bus is not None
        await round.operations(40)
        before = len(round.clock.deliveries)
        how(worker.bus)
        round.injected[f"worker cut from Redis: {name}"] += 1
        await asyncio.sleep(OUTAGE_S)
        worker.bus.heal()
        round.healed()
        await round.receipts(10)
        late = [seconds for _, seconds in round.clock.deliveries[before:]]
        round.notes[f"longest delivery, {name}"] = round_s(max(late, default=0.0))


async def subscribers_cut(round: Round) -> None:
    """F7."""
    for _ in range(5):
        await round.operations(40)
        await redis_says(round.redis.port, "CLIENT KILL TYPE pubsub")
        round.injected["CLIENT KILL TYPE pubsub"] += 1
    await round.operations(40)


async def lossy(round: Round) -> None:
    """F8, each worker by its own dice."""
    for worker in round.stage.workers:
        worker.redis.harm = Harm(drop=0.1, double=0.2, corrupt=0.02, delay=0.05, shuffle=50)
    enough = _messages(round) + 10_000
    await round.until(lambda: _messages(round) >= enough, 240.0, "10 000 messages")
    for kind in ("dropped", "doubled", "shuffled", "corrupted", "delayed"):
        round.injected[f"news {kind}"] = sum(worker.redis.done[kind] for worker in round.stage.workers)


def _messages(round: Round) -> int:
    return sum(worker.redis.done["messages"] for worker in round.stage.workers)


async def last_lost(round: Round) -> None:
    """Everything is lost for a while, and then nothing more is said: only the head poll can tell."""
    for worker in round.stage.workers:
        worker.redis.harm = Harm(drop=1.0)
    round.injected["all news lost"] += 1
    await round.operations(60)
    for one in round.everybody:
        one.quiet.set()
    await asyncio.sleep(0.5)


async def forged(round: Round) -> None:
    """F19: whoever can write to Redis."""
    await round.operations(80)
    known = [pair for worker in round.stage.workers for pair in worker.redis.published]
    news = [(channel, payload) for channel, payload in known if len(payload) > 60]
    sent = 0
    for number in range(500):
        channel, payload = round.chance.choice(news)
        match number % 4:
            case 0:
                round.injected["news replayed"] += 1
            case 1:
                at = round.chance.randrange(len(payload))
                payload = payload[:at] + bytes((payload[at] ^ 0x01,)) + payload[at + 1 :]
                round.injected["news with one bit changed"] += 1
            case 2:
                payload = round.chance.randbytes(round.chance.randrange(400))
                round.injected["news of random bytes"] += 1
            case _:
                channel = round.chance.choice(news)[0]
                round.injected["news on another channel"] += 1
        sent += await redis_publishes(round.redis.port, channel, payload)
        if number % 25 == 0:
            await round.operations(2)
    round.notes["forged news heard by"] = sent
    if not sent:
        round.problems.append("does not count: nobody heard the forged news")


# F9-F12: the store ----------------------------------------------------------------------------------------------------


async def postgres_gone(round: Round) -> None:
    """F9."""
    postgres = round.postgres
    ways: dict[str, Callable[[], object]] = {
        "fast restart": postgres.stop,
        "immediate restart": lambda: postgres.stop("immediate"),
        "kill -9": postgres.kill,
    }
    for name, how in ways.items():
        await round.operations(60)
        await round.restart(postgres, how, 1.0)
        round.injected[f"PostgreSQL {name}"] += 1
        before = len(round.clock.receipts)
        seconds = await round.until(lambda before=before: len(round.clock.receipts) > before, 60.0, "a receipt")  # type: ignore[misc]
        round.notes[f"first receipt after {name}"] = round_s(seconds)
        await round.receipts(10)


async def commits_cut(round: Round) -> None:
    """F10: the connection goes before the commit arrives, or before its answer does."""
    cuts: list[str] = []

    def watch(now: str, asked: Asked) -> str | None:
        if now != "sent" or asked.kind != "commit" or round.chance.random() > 0.15 or len(cuts) >= 20:
            return None
        cuts.append(round.chance.choice(("before", "after")))
        return cuts[-1]

    for worker in round.stage.workers:
        worker.postgres.watch = watch
    await round.until(lambda: len(cuts) >= 20, 90.0, "20 cuts")
    for cut in cuts:
        round.injected[f"connection cut {cut} the commit"] += 1
    for worker in round.stage.workers:
        worker.postgres.watch = None
    await waiting_for_lock(round)


async def waiting_for_lock(round: Round) -> None:
    """Backends that wait for a row are terminated; connections are cut while the old backend goes on waiting."""
    import asyncpg

    ids = [subject.diagram for subject in round.subjects]
    for name in ("terminated", "cut"):
        connection = await asyncpg.connect(round.postgres.url)
        try:
            async with connection.transaction():
                await connection.execute("SELECT 1 FROM diagram_head WHERE id = ANY($1) FOR UPDATE", ids)
                waiting = 0
                for _ in range(150):
                    await asyncio.sleep(0.02)
                    waiting = await connection.fetchval(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    )
                    if waiting >= 2:
                        break
                round.injected[f"backend {name} while it waits for a row"] += waiting
                if name == "terminated":
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    )
                else:
                    for worker in round.stage.workers:
                        assert worker.database is not None
                        worker.database.forget()
                        worker.database.reset()
                await asyncio.sleep(0.2)
        finally:
            await connection.close()
        await round.receipts(10)


async def row_locked(round: Round) -> None:
    """F12: one diagram's row for 3 s, then all of them, which takes every connection there is."""
    import asyncpg

    for name, subjects in {"one row": round.subjects[:1], "all rows": round.subjects}.items():
        await round.operations(40)
        connection = await asyncpg.connect(round.postgres.url)
        try:
            async with connection.transaction():
                ids = [subject.diagram for subject in subjects]
                await connection.execute("SELECT 1 FROM diagram_head WHERE id = ANY($1) FOR UPDATE", ids)
                round.injected[f"{name} locked {PAUSE_S:.0f} s"] += 1
                before = len(round.clock.receipts)
                await asyncio.sleep(PAUSE_S)
                meanwhile = len(round.clock.receipts) - before
        finally:
            await connection.close()
            round.healed()
        round.notes[f"receipts while {name} was locked"] = meanwhile
        if name == "one row" and not meanwhile:
            round.problems.append("I30: a locked row held up the other diagrams")
        await round.receipts(10)


async def contended(round: Round) -> None:
    """All workers on one diagram, with slow ways to the store: who misses again and again takes its turn, and has to
    read rights anew in the middle of it."""
    (subject,) = round.subjects
    for worker in round.stage.workers:
        assert worker.database is not None
        worker.database.up.delay_s = lambda: round.chance.choice((0.0, 0.0, 0.05, 0.3))
    round.injected["slow ways to PostgreSQL"] += 1
    path = f"/threat_models/{subject.threat_model}/authorization"
    for number in range(6):
        await round.operations(25, 60.0)
        entry = {"subject": f"reader{number}@tmi.local", "subject_type": "user", "role": "reader"}
        await round.doors.ask(round.worker(), subject.host, "POST", path, entry)
        round.injected["rights changed meanwhile"] += 1


async def store_cut(round: Round) -> None:
    """F6's twin: a worker that does not reach PostgreSQL for a while."""
    for name in ("drop", "reset", "one-way"):
        worker = round.worker()
        proxy = worker.database
        assert proxy is not None
        await round.operations(40)
        if name == "drop":
            proxy.black_hole()
        elif name == "reset":
            proxy.refuse()
        else:
            proxy.down.hold()
        round.injected[f"worker cut from PostgreSQL: {name}"] += 1
        await asyncio.sleep(OUTAGE_S)
        proxy.heal()
        round.healed()
        await round.receipts(10)


# F14-F18 --------------------------------------------------------------------------------------------------------------


async def rolling(round: Round) -> None:
    """F14."""
    for worker in round.stage.workers:
        await round.operations(60)
        code = await worker.stop()
        round.injected["SIGTERM"] += 1
        if code != 0:
            round.problems.append(f"worker {worker.number} ended with {code} on SIGTERM")
        await worker.start()
    await round.operations(60)


async def bad_network(round: Round) -> None:
    """F16: delay, a stall, and half-open sockets whose users return before anybody notices."""
    fronts = [worker.front for worker in round.stage.workers]
    await round.operations(40)
    for front in fronts:
        front.up.delay_s = front.down.delay_s = lambda: round.chance.uniform(0.05, 0.15)
    round.injected["clients' network 200 ± 100 ms"] += 1
    await round.operations(60)
    for front in fronts:
        front.heal()
        front.black_hole()
    round.injected["clients' network stalls"] += 1
    await asyncio.sleep(2.0)
    for front in fronts:
        front.heal()
    for _ in range(3):
        await round.operations(30)
        front = round.chance.choice(fronts)
        seats = [seat for seat in round.seats if seat.worker.front is front and seat.live.is_set()]
        round.injected["half-open sockets"] += front.forget()
        for seat in seats:
            seat.editor.cut()
        await round.receipts(5)
    front = round.chance.choice(fronts)
    front.reset()
    round.injected["clients' connections reset"] += 1
    await round.operations(30)


async def new_epoch(round: Round) -> None:
    """F18: what one does after a backup was played back."""
    await round.operations(60)
    worker = round.stage.workers[0]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "codraw", "admin", "new-epoch", "--all",
        cwd=round.stage.folder,
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
            "CODRAW_MODE": "development", "CODRAW_STORE_URL": round.postgres.url,
            "CODRAW_REDIS_URL": round.redis.url, "CODRAW_SECRET_KEY": worker.secret,
        },
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    if process.returncode != 0:
        round.problems.append(f"new-epoch failed: {said.decode('utf-8', 'replace')[-500:]}")
    round.injected["new epoch for all"] += 1
    await round.operations(60)


async def mixed(round: Round) -> None:
    """H3: whatever may come, often two things at once."""
    for _ in range(8):
        await round.operations(30, 120.0)
        chosen = round.chance.sample(list(MISHAPS), round.chance.choice((1, 1, 2)))
        for name in chosen:
            round.injected[f"mixed: {name}"] += 1
        await asyncio.gather(*(MISHAPS[name](round) for name in chosen))
    await round.receipts(20)


async def everything_dies(round: Round) -> None:
    """I7: all workers, Redis and PostgreSQL at one instant. What anybody saw must be there afterwards."""
    for _ in range(3):
        await round.operations(60, 120.0)
        for worker in round.stage.workers:
            worker.kill()
        round.postgres.kill()
        round.redis.kill()
        round.injected["kill -9 of everything"] += 1
        await asyncio.gather(asyncio.to_thread(round.postgres.start), asyncio.to_thread(round.redis.start))
        for worker in round.stage.workers:
            worker.launch()
        for worker in round.stage.workers:
            await worker.ready()
        round.healed()
    await round.receipts(20, 120.0)


async def cut_off(round: Round) -> None:
    """A worker that reaches neither store nor bus, with its clients still there; and one asleep for longer than the
    others remember it."""
    for name in ("both stores", "sleep"):
        await round.operations(40)
        worker = round.worker()
        assert worker.bus is not None
        assert worker.database is not None
        if name == "sleep":
            worker.pause()
            await asyncio.sleep(40.0)
            worker.go_on()
        else:
            worker.bus.black_hole()
            worker.database.black_hole()
            await asyncio.sleep(8.0)
            worker.bus.heal()
            worker.database.heal()
        round.injected[f"a worker cut off: {name}"] += 1
        round.healed()
        await round.receipts(10)


async def ghosts(round: Round) -> None:
    """I22: who was on a worker that died, and does not come back, leaves the roster."""
    victim = round.stage.workers[-1]
    for seat in round.seats:
        if seat.guest is not seat.subject.host and not seat.is_classic and seat.live.is_set():
            seat.choose = lambda: victim
            seat.editor.cut()
    await round.operations(30)
    await round.until(lambda: all(seat.live.is_set() for seat in round.seats), 30.0, "everybody to be back")
    gone = [seat for seat in round.seats if seat.worker is victim and seat.guest is not seat.subject.host]
    for seat in gone:
        seat.welcome.clear()
        seat.over = "stays away"
    victim.kill()
    round.expects_ends = True
    round.injected["kill -9 of a worker whose guests do not return"] += 1
    await asyncio.sleep(1.0)
    await victim.start()


async def _worker_dies(round: Round) -> None:
    alive = [worker for worker in round.stage.workers if worker.alive]
    worker = round.chance.choice(alive or round.stage.workers)
    worker.kill()
    await asyncio.sleep(round.chance.uniform(0.0, 1.5))
    worker.launch()


async def _redis_dies(round: Round) -> None:
    await round.restart(round.redis, round.redis.kill, round.chance.uniform(0.0, 3.0))


async def _postgres_dies(round: Round) -> None:
    await round.restart(round.postgres, round.postgres.kill, round.chance.uniform(0.0, 2.0))


async def _bus_away(round: Round) -> None:
    await _proxied(round, [worker.bus for worker in round.stage.workers])


async def _store_away(round: Round) -> None:
    await _proxied(round, [worker.database for worker in round.stage.workers])


async def _clients_away(round: Round) -> None:
    await _proxied(round, [worker.front for worker in round.stage.workers])


async def _proxied(round: Round, proxies: Sequence[Proxy | None]) -> None:
    proxy = round.chance.choice([proxy for proxy in proxies if proxy is not None])
    how = round.chance.choice((Proxy.black_hole, Proxy.refuse, Proxy.reset, Proxy.forget, Proxy.cut))
    how(proxy)
    await asyncio.sleep(round.chance.uniform(0.1, 3.0))
    proxy.heal()
    round.healed()


async def _worker_sleeps(round: Round) -> None:
    worker = round.chance.choice(round.stage.workers)
    if not worker.alive:
        return
    worker.pause()
    await asyncio.sleep(round.chance.uniform(0.2, 4.0))
    worker.go_on()
    round.healed()


MISHAPS: dict[str, Callable[[Round], Awaitable[None]]] = {
    "kill -9 of a worker": _worker_dies,
    "kill -9 of Redis": _redis_dies,
    "kill -9 of PostgreSQL": _postgres_dies,
    "a worker cut from Redis": _bus_away,
    "a worker cut from PostgreSQL": _store_away,
    "clients cut from a worker": _clients_away,
    "SIGSTOP of a worker": _worker_sleeps,
}


async def child_kills(round: Round) -> None:
    """F1 on one port: the parent replaces who dies."""
    (parent,) = round.stage.workers
    for _ in range(5):
        await round.operations(60)
        before = parent.children()
        os.kill(round.chance.choice(before), signal.SIGKILL)
        round.injected["kill -9 of a supervised worker"] += 1
        await round.until(
            lambda before=before: len(parent.children()) == len(before) and parent.children() != before,  # type: ignore[misc]
            30.0,
            "a replacement",
        )
        await round.receipts(10)


async def rolled(round: Round) -> None:
    """F14 on one port: SIGHUP replaces one by one."""
    (parent,) = round.stage.workers
    await round.operations(60)
    before = set(parent.children())
    parent.roll()
    round.injected["SIGHUP"] += 1
    seconds = await round.until(lambda: not before & set(parent.children()), 120.0, "all workers to be replaced")
    round.notes["rolled in"] = round_s(seconds)
    await round.receipts(20)


# rights and ends ------------------------------------------------------------------------------------------------------


async def rights(round: Round) -> None:
    """A right withdrawn, an ejection, an end, a race of creations: with Redis, and without."""
    round.expects_ends = True
    await round.operations(60)
    await _demoted(round, round.subjects[0], "reader")
    assert round.stage.workers[0].bus is not None
    for worker in round.stage.workers:
        worker.bus.refuse()  # type: ignore[union-attr]
    await _ejected(round, round.subjects[1])
    await _demoted(round, round.subjects[2], None)
    for worker in round.stage.workers:
        worker.bus.heal()  # type: ignore[union-attr]
    await _ended(round, round.subjects[3])
    await asyncio.sleep(1.0)


async def _demoted(round: Round, subject: Subject, role: str | None) -> None:
    """Everybody of the diagram but its owner."""
    path = f"/threat_models/{subject.threat_model}/authorization"
    entries = await _said(round, subject, "GET", path)
    index = next(place for place, entry in enumerate(entries["items"]) if entry["subject_type"] == "group")
    if role is None:
        await _said(round, subject, "DELETE", f"{path}/{index}")
    else:
        await _said(round, subject, "PUT", f"{path}/{index}", {"role": role})
    round.injected["right withdrawn"] += 1
    await _note_loss(round, subject, {seat.guest.id for seat in _guests(round, subject)}, reads=role is not None)


def _guests(round: Round, subject: Subject) -> list[Seat]:
    return [seat for seat in round.seats if seat.subject is subject and seat.guest is not subject.host]


async def _note_loss(round: Round, subject: Subject, users: set[str], *, reads: bool, denied: bool = False) -> None:
    ((row,)) = await round.stage.rows("SELECT acl_version FROM diagram_head WHERE id = $1", subject.diagram)
    at = asyncio.get_running_loop().time()
    for user in users:
        round.withdrawn(Withdrawn(subject.diagram, user, row["acl_version"], at, denied, reads))


async def _ejected(round: Round, subject: Subject) -> None:
    guest = _guests(round, subject)[0].guest
    host = next(seat for seat in round.seats if seat.subject is subject and seat.guest is subject.host)
    await round.until(host.live.is_set, 30.0, "the host")
    user = {"provider": "test", "provider_id": guest.name}
    if isinstance(host.editor, CodrawV1):
        await host._raw({"message_type": "remove_participant", "user": user})
    else:
        kind = "remove_participant_request" if isinstance(host.editor, Tmi) else "remove_participant"
        named: Any = {"removed_user": _user(guest.name)} if isinstance(host.editor, Tmi) else {
            "target_user": f"{guest.name}@tmi.local"
        }  # fmt: skip
        await host._raw({"message_type": kind, **named})
    gone = [seat for seat in _guests(round, subject) if seat.guest is guest]
    await round.until(lambda: all(seat.over or not seat.live.is_set() for seat in gone), 50.0, "an ejection")
    round.injected["ejection"] += 1
    await _note_loss(round, subject, {guest.id}, reads=False, denied=True)


def _user(name: str) -> dict[str, str]:
    return {
        "principal_type": "user", "provider": "test", "provider_id": name, "email": f"{name}@tmi.local",
        "display_name": name.title(),
    }  # fmt: skip


async def _ended(round: Round, subject: Subject) -> None:
    worker = round.worker()
    answer = await round.doors.ask(worker, subject.host, "DELETE", f"{subject.path}/collaborate")
    if answer.status_code != 204:
        round.problems.append(f"DELETE collaborate: {answer.status_code}")
    ((row,)) = await round.stage.rows("SELECT acl_version FROM diagram_head WHERE id = $1", subject.diagram)
    round.ended(Ended(subject.diagram, row["acl_version"], asyncio.get_running_loop().time()))
    round.injected["session ended"] += 1
    seats = [seat for seat in round.seats if seat.subject is subject]
    seconds = await round.until(lambda: all(seat.over for seat in seats), 20.0, "everybody to hear of the end")
    round.notes["end heard by all after"] = round_s(seconds)
    answers = await asyncio.gather(
        *(
            round.doors.ask(worker, subject.host, "POST", f"{subject.path}/collaborate")
            for worker in round.stage.workers
            for _ in range(5)
        )
    )
    round.evidence.creations.append([(answer.status_code, _session(answer.json())) for answer in answers])
    round.injected["race of creations"] += 1


def _session(body: dict[str, Any]) -> str:
    return str(body.get("session_id") or (body.get("session") or {}).get("session_id"))


async def _said(round: Round, subject: Subject, method: str, path: str, body: Any = None) -> Any:
    answer = await round.doors.ask(round.worker(), subject.host, method, path, body)
    if answer.status_code >= 300:
        raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
    return answer.json() if answer.content else None


async def credentials(round: Round) -> None:
    """Tickets, caps, ejections and logins count on all workers alike."""
    round.expects_ends = True
    await round.operations(40)
    first, second, third, *_, last = round.subjects
    await asyncio.gather(
        _one_ticket(round, first), _caps(round, second), _logout(round, third), _stays_out(round, last)
    )  # fmt: skip


async def _knock(round: Round, subject: Subject, worker: Worker, ticket: str) -> ClientConnection | None:
    """None: refused at the handshake."""
    url = f"{Place(round.doors, worker, subject).url}?ticket={ticket}"
    try:
        # Nobody reads: with a bound on what waits, the close frame would never be seen.
        words = [Subprotocol("codraw.v1.json")]
        return await connect(url, subprotocols=words, compression=None, max_size=None, max_queue=None)
    except InvalidStatus as refused:
        if refused.response.status_code != 401:
            round.problems.append(f"a ticket used before: {refused.response.status_code}")
        return None


async def _one_ticket(round: Round, subject: Subject) -> None:
    """S11: the same ticket on all workers at once works once."""
    guest = await round.guests.get("racer")
    for _ in range(10):
        ticket = await Place(round.doors, round.worker(), subject).ticket(guest)
        knocks = [_knock(round, subject, worker, ticket) for worker in round.stage.workers for _ in range(5)]
        came = [one for one in await asyncio.gather(*knocks) if one is not None]
        if len(came) != 1:
            round.problems.append(f"S11: one ticket let {len(came)} sockets in")
        for one in came:
            await one.close()
        round.injected["race for a ticket"] += 1


async def _caps(round: Round, subject: Subject) -> None:
    """S75: the sixth socket of a user is one too many, wherever the five are."""
    guest = await round.guests.get("many")
    opened: list[ClientConnection] = []
    for number in range(6):
        worker = round.stage.workers[number % len(round.stage.workers)]
        ticket = await Place(round.doors, worker, subject).ticket(guest)
        one = await _knock(round, subject, worker, ticket)
        if one is not None:
            opened.append(one)
        # A worker learns of the others' sockets by presence.
        await asyncio.sleep(1.0)
    codes = [one.close_code for one in opened]
    if codes != [None] * 5 + [4429]:
        round.problems.append(f"S75: six sockets of one user on {len(round.stage.workers)} workers: {codes}")
    round.injected["six sockets of one user"] += 1
    for one in opened:
        one.transport.abort()


async def _logout(round: Round, subject: Subject) -> None:
    """AU12: sockets on every worker are closed with 4401."""
    round.guests.forget("leaver")
    guest = await round.guests.get("leaver")
    opened: list[ClientConnection] = []
    for worker in round.stage.workers:
        one = await _knock(round, subject, worker, await Place(round.doors, worker, subject).ticket(guest))
        assert one is not None
        opened.append(one)
    answer = await round.doors.ask(round.stage.workers[0], guest, "POST", "/me/logout")
    if answer.status_code != 204:
        round.problems.append(f"logout: {answer.status_code}")
    seconds = await round.until(lambda: all(one.close_code for one in opened), 50.0, "a logout to close its sockets")
    round.notes["sockets closed after logout"] = round_s(seconds)
    if any(one.close_code != 4401 for one in opened):
        round.problems.append(f"AU12: closed with {[one.close_code for one in opened]}")
    round.injected["logout"] += 1
    round.guests.forget("leaver")


async def _stays_out(round: Round, subject: Subject) -> None:
    """S45: by ticket, by socket or by REST, on any worker."""
    await _ejected(round, subject)
    (guest,) = [one for one in round.evidence.withdrawn if one.denied and one.diagram == subject.diagram]
    known = await round.guests.get(guest.user.removeprefix("test:"))
    edit = {"operation_id": str(uuid4()), "operation": {"type": "patch", "cells": [add(subject.ids[0])]}}
    for worker in round.stage.workers:
        asked = {
            "a ticket": ("GET", f"/ws/ticket?session_id={subject.session}", None),
            "an edit": ("POST", f"{subject.path}/operations", edit),
            "joining": ("PUT", f"{subject.path}/collaborate", None),
        }
        for what, (method, path, body) in asked.items():
            answer = await round.doors.ask(worker, known, method, path, body)
            if answer.status_code != 403:
                round.problems.append(f"S45: {what} after an ejection on worker {worker.number}: {answer.status_code}")


async def host_lost(round: Round) -> None:
    """SES10: who hosts and does not come back ends the session for all, on every worker. A worker that has just
    started ends nothing, for a minute."""
    round.expects_ends = True
    subject = round.subjects[0]
    await round.operations(40)
    seats = [seat for seat in round.seats if seat.subject is subject]
    hosts = [seat for seat in seats if seat.guest is subject.host]
    for seat in hosts:
        seat.welcome.clear()
        if seat.live.is_set():
            seat.editor.cut()
    others = [seat for seat in seats if seat not in hosts]
    seconds = await round.until(lambda: all(seat.over for seat in others), 150.0, "a session to end without its host")
    round.notes["session of a lost host ended after"] = round_s(seconds)
    round.injected["host lost"] += 1
    for seat in hosts:
        seat.over = "host_lost"
        seat.welcome.set()


# by hand --------------------------------------------------------------------------------------------------------------


async def redis_says(port: int, command: str) -> bytes:
    return await asyncio.to_thread(_talk, port, command.encode() + b"\r\n")


async def redis_publishes(port: int, channel: bytes, payload: bytes) -> int:
    """How many subscribers heard it."""
    words: Sequence[bytes] = (b"PUBLISH", channel, payload)
    asked = b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    answer = await asyncio.to_thread(_talk, port, asked)
    return int(answer[1:].split(b"\r\n")[0]) if answer[:1] == b":" else 0


def _talk(port: int, said: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(said)
        return connection.recv(4_096)


def round_s(seconds: float) -> float:
    return round(seconds, 3)


ONE = Size(diagrams=1, editors=10, rate=60.0)
FAST = Size(diagrams=5, editors=5, rate=250.0)
PARTS: tuple[Part, ...] = (
    Part("F1", "kill -9 of random workers", kills, full=260, needs=("returns", "resumed with events")),
    Part("F2", "kill -9 at marked points", marks, full=200, needs=("returns",)),
    Part("F3", "SIGSTOP", pauses, full=100),
    Part("F4", "Redis gone, back, empty", redis_gone, full=20, needs=("bus: SUBSCRIBE", "store: head poll")),
    Part("F6", "a worker cut from Redis", bus_cut, full=40, needs=("store: head poll",)),
    Part("F7", "subscribers cut", subscribers_cut, full=100, needs=("bus: SUBSCRIBE",)),
    Part(
        "F8", "news lost, doubled, shuffled, corrupted", lossy, full=100, needs=("store: tail", "news: dropped"),
        quick_size=FAST,
    ),
    Part("F8b", "all news lost, then silence", last_lost, full=20, needs=("store: head poll", "store: tail")),
    Part("F9", "PostgreSQL restarted, crashed, killed", postgres_gone, full=14),
    Part("F10", "cut inside the commit", commits_cut, full=50, needs=("store: commit again",)),
    Part("F10b", "a worker cut from PostgreSQL", store_cut, full=20),
    Part("F12", "rows locked, pool exhausted", row_locked, full=10),
    Part(
        "F12x", "all workers on one diagram, slow ways to the store", contended, full=50, quick_size=ONE,
        full_size=ONE, needs=("store: claim under lock",),
    ),
    Part("F14", "rolling restart", rolling, full=20, needs=("goodbye: restart", "returns")),
    Part("F16", "the clients' network", bad_network, full=100, needs=("returns",)),
    Part("F18", "new epoch under load", new_epoch, full=20, needs=("state: epoch_changed",)),
    Part("F19", "forged news", forged, full=20),
    Part("F1s", "kill -9 of workers on one port", child_kills, full=260, needs=("returns",), supervised=True),
    Part("F14s", "rolling restart by SIGHUP", rolled, full=20, needs=("goodbye: restart",), supervised=True),
    Part("F1x", "kill -9 of everything", everything_dies, full=50, needs=("returns",)),
    Part("F3x", "a worker that is away for long", cut_off, quick=0, full=10),
    Part("R3", "tickets, caps, logins, ejections", credentials, full=10),
    Part("R4", "a host who does not come back", host_lost, quick=0, full=10),
    Part("R2", "ghosts of a dead worker", ghosts, full=10),
    Part("H3", "everything at once", mixed, quick=3, full=500, needs=("returns",)),
    Part("R1", "rights, ejection, end, creation", rights, full=20),
)  # fmt: skip
