"""One round: fresh diagrams, editors on all workers, a fault in the middle, rest, and the verdict."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from codraw.local_stores import LocalPostgres, LocalRedis
from tests.campaign.agents import Agent
from tests.campaign.checker import Awaited, Checker, Ended, Evidence, Read, Verdict, Withdrawn
from tests.campaign.editors import BROKEN, KINDS, Clock, Doors, Guest, Program, Refused, Seat, Subject
from tests.campaign.ledger import read
from tests.campaign.stage import Stage, Worker
from tests.campaign.traces import Message, word
from tests.support.client import Editor

EQUAL_S = 5.0
OUTCOME_S = 10.0
ROSTER_S = 35.0
HANG_GUARD = 10
BETWEEN_S = 0.05
CLASSIC_S = 1.0
"""Then a classic client that was not told that its copy is wrong asks for a state."""


class Size:
    """How much is going on: diagrams, editors of each, operations a second in all."""

    def __init__(self, diagrams: int, editors: int, rate: float, programs: int = 1) -> None:
        self.diagrams, self.editors, self.rate, self.programs = diagrams, editors, rate, programs


QUICK = Size(diagrams=5, editors=5, rate=90.0)
FULL = Size(diagrams=20, editors=5, rate=200.0)


class Guests:
    """Everybody who is signed in on this stage; used again in each round."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self._known: dict[str, tuple[float, Guest]] = {}

    async def get(self, name: str) -> Guest:
        at, guest = self._known.get(name, (float("-inf"), None))
        if guest is None or time.monotonic() - at > 1_500:
            worker = self.doors.stage.workers[0]
            answer = await self.doors.at(worker).get("/oauth2/authorize", params={"idp": "test", "login_hint": name})
            if answer.status_code != 200:
                raise Refused(answer.status_code, answer.text)
            guest = Guest(name, answer.json()["access_token"])
            self._known[name] = (time.monotonic(), guest)
        return guest

    def forget(self, name: str) -> None:
        """The next to ask for it signs in anew."""
        self._known.pop(name, None)

    @property
    def secrets(self) -> list[str]:
        return [guest.token for _, guest in self._known.values()]


class Round:
    """`injected` by kind; `needs`: what must have happened, or the round does not count."""

    def __init__(self, stage: Stage, doors: Doors, guests: Guests, *, name: str, seed: int, size: Size) -> None:
        self.stage, self.doors, self.guests = stage, doors, guests
        self.name, self.seed, self.size = name, seed, size
        self.chance = random.Random(f"{name}:{seed}")
        self.clock = Clock()
        self.subjects: list[Subject] = []
        self.seats: list[Seat] = []
        self.programs: list[Program] = []
        self.agents: list[Agent] = []
        self.evidence = Evidence()
        self.injected: Counter[str] = Counter()
        self.recovered: Counter[str] = Counter()
        self.needs: list[str] = []
        self.notes: dict[str, Any] = {}
        self.expects_ends = False
        self.heals: list[float] = []
        self.guard: float = HANG_GUARD
        """Times the promise, until something is given up."""
        self.verdicts: dict[str, Verdict] = {}
        self.problems: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._before: dict[str, int] = {}

    @property
    def everybody(self) -> list[Seat | Program | Agent]:
        return [*self.seats, *self.programs, *self.agents]

    # its life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.stage.whole()
        self._before = self.stage.wires()
        self.subjects = list(await asyncio.gather(*(self._subject(number) for number in range(self.size.diagrams))))
        for subject in self.subjects:
            await self._people(subject)
        self._tasks = [asyncio.ensure_future(one.run()) for one in self.everybody]
        await self.until(lambda: all(seat.live.is_set() for seat in self.seats), 60.0, "everybody to come in")
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self.everybody:
            one.quiet.set()
        leaving = [seat.leaving for seat in self.seats] + [agent.leaving for agent in self.agents]
        for event in leaving:
            event.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _subject(self, number: int) -> Subject:
        host = await self.guests.get(f"host{number}")
        everyone = {"subject": "everyone", "subject_type": "group", "role": "writer"}
        worker = self.stage.workers[number % len(self.stage.workers)]
        model = await self._made(worker, host, "/threat_models", {"name": self.name, "authorization": [everyone]})
        path = f"/threat_models/{model['id']}/diagrams"
        diagram = await self._made(worker, host, path, {"name": f"{self.name} {number}", "type": "DFD-1.0.0"})
        session = await self._made(worker, host, f"{path}/{diagram['id']}/collaborate", None)
        subject = Subject(number, host, model["id"], diagram["id"], session["session_id"])
        self.evidence.markers[subject.diagram] = subject.marker
        return subject

    async def _made(self, worker: Worker, guest: Guest, path: str, body: Any) -> Message:
        answer = await self.doors.ask(worker, guest, "POST", path, body)
        if answer.status_code != 201:
            raise Refused(answer.status_code, answer.text)
        made: Message = answer.json()
        return made

    async def _people(self, subject: Subject) -> None:
        rate = self.size.rate / (self.size.diagrams * self.size.editors)
        for place in range(self.size.editors):
            # The host sits at the first place, and has a second window at the fifth.
            guest = subject.host if place % 4 == 0 else await self.guests.get(f"guest{subject.number}-{place}")
            self.seats.append(self._seat(subject, KINDS[(place + subject.number) % len(KINDS)], guest, rate, place))
        for place in range(self.size.programs if subject.number % 2 == 0 else 0):
            guest = await self.guests.get(f"program{subject.number}-{place}")
            name = f"rest {subject.number}.{place}"
            chance = random.Random(self.chance.random())
            program = Program(
                self.stage, self.doors, subject, guest, name=name, chance=chance, rate=2.0, clock=self.clock
            )
            self.programs.append(program)
        if subject.number % 2 == 1:
            guest = await self.guests.get(f"agent{subject.number}")
            self.agents.append(self._agent(subject, guest))

    def _seat(self, subject: Subject, kind: type[Editor], guest: Guest, rate: float, place: int) -> Seat:
        name = f"{kind.__name__} {subject.number}.{place} of {guest.name}"
        chance = random.Random(self.chance.random())
        return Seat(self.stage, self.doors, subject, kind, guest, name=name, chance=chance, rate=rate, clock=self.clock)

    def _agent(self, subject: Subject, guest: Guest) -> Agent:
        return Agent(
            self.stage,
            self.doors,
            subject,
            guest,
            name=f"agent {subject.number}",
            chance=random.Random(self.chance.random()),
            rate=2.0,
            encoding="json" if subject.number % 4 == 1 else "msgpack",
        )

    def join(self, subject: Subject, kind: type[Editor], guest: Guest, rate: float = 0.0, place: int = 9) -> Seat:
        """One more, who comes now."""
        seat = self._seat(subject, kind, guest, rate, place)
        self.seats.append(seat)
        self._tasks.append(asyncio.ensure_future(seat.run()))
        return seat

    # its middle -------------------------------------------------------------------------------------------------------

    @property
    def submitted(self) -> int:
        return sum(one.counts["submitted"] for one in self.everybody)

    async def operations(self, count: int, patience_s: float = 60.0) -> None:
        """Until that many more have been asked for: rounds are bounded by counts."""
        enough = self.submitted + count
        await self.until(lambda: self.submitted >= enough, patience_s, f"{count} operations")

    async def receipts(self, count: int, patience_s: float = 60.0) -> None:
        enough = len(self.clock.receipts) + count
        await self.until(lambda: len(self.clock.receipts) >= enough, patience_s, f"{count} receipts")

    async def until(self, holds: Callable[[], bool], patience_s: float, what: str) -> float:
        """Seconds it took; a problem is noted where it never came."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > patience_s:
                self.problems.append(f"waited {patience_s:.0f} s in vain for {what}")
                break
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def healed(self) -> None:
        """A fault is over now; receipts that waited for this are told apart."""
        self.heals.append(time.monotonic())

    def after_heal(self) -> list[float]:
        """How long after the heal that they waited for receipts came."""
        found = []
        for sent, came in self.clock.waited:
            between = [heal for heal in self.heals if sent < heal < came]
            found += [came - between[-1]] if between else []
        return found

    def worker(self) -> Worker:
        return self.chance.choice(self.stage.workers)

    @property
    def postgres(self) -> LocalPostgres:
        assert self.stage.postgres is not None
        return self.stage.postgres

    @property
    def redis(self) -> LocalRedis:
        assert self.stage.redis is not None
        return self.stage.redis

    async def restart(self, server: LocalPostgres | LocalRedis, how: Callable[[], object], away_s: float) -> None:
        began = time.monotonic()
        await asyncio.to_thread(how)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(server.start)
        self.healed()
        self.notes["longest outage"] = max(self.notes.get("longest outage", 0.0), round(time.monotonic() - began, 3))

    # its end ----------------------------------------------------------------------------------------------------------

    async def rest(self, roster: bool = True) -> None:
        """Everything is healed: nobody sends anything new, and all must come to the same."""
        self.stage.heal()
        await self.stage.whole()
        self.healed()
        for one in self.everybody:
            one.quiet.set()
        began = time.monotonic()
        done = lambda: all(not seat.pending or seat.over for seat in self.seats)  # noqa: E731
        await self._await("I29", "every pending operation to have its outcome", OUTCOME_S, began, done)
        for idle in [program.idle for program in self.programs] + [agent.idle for agent in self.agents]:
            await self.until(idle.is_set, self.guard * OUTCOME_S, "a program to be answered")
        await self._level(time.monotonic())
        await self._equal(time.monotonic())
        if roster:
            await self._rosters()
        for seat in self.seats:
            seat.keep_copy()
        for agent in self.agents:
            agent.keep_copy()

    async def _await(
        self, invariant: str, what: str, promise_s: float, began: float, holds: Callable[[], bool]
    ) -> None:
        deadline = began + self.guard * promise_s
        while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110 - it is about many clients at once
            await asyncio.sleep(BETWEEN_S)
        seconds = time.monotonic() - began if holds() else None
        self.evidence.awaited.append(Awaited(invariant, what, promise_s, seconds))
        self.notes[what] = None if seconds is None else round(seconds, 3)

    async def _level(self, began: float) -> None:
        """Everybody has heard the last of the log. Nobody is asked for it: a GET would heal the room it reads."""
        seats = [seat for seat in self.seats if not seat.is_classic]
        heads: dict[str, int] = {}
        for subject in self.subjects:
            ((row,)) = await self.stage.rows("SELECT vector FROM diagram_head WHERE id = $1", subject.diagram)
            heads[subject.diagram] = row["vector"]

        def level() -> bool:
            return all(seat.over or seat.editor.vector >= heads[seat.subject.diagram] for seat in seats)

        await self._await("I2", "everybody to hear the last operation", EQUAL_S, began, level)

    async def _equal(self, began: float) -> None:
        """GET of every worker, and every copy."""
        truth: dict[str, tuple[int, list[Message]]] = {}
        deadline, asked, seconds = began + self.guard * EQUAL_S, False, None
        unequal: list[str] = ["everything"]
        while time.monotonic() < deadline:
            reads = await self._read_all()
            heads = {read.diagram: (read.vector, read.cells) for read in reads}
            one_voice = all(heads[read.diagram] == (read.vector, read.cells) for read in reads)
            truth = heads
            unequal = [
                seat.trace.client
                for seat in self.seats
                if seat.subject.diagram not in truth or not seat.equals(*truth[seat.subject.diagram])
            ]
            apart = [
                agent.trace.client
                for agent in self.agents
                if agent.subject.diagram not in truth or not agent.equals(*truth[agent.subject.diagram])
            ]
            unequal += apart
            if (
                "all but classic equal after" not in self.notes
                and reads
                and one_voice
                and not apart
                and not any(seat.trace.client in unequal for seat in self.seats if not seat.is_classic)
            ):
                self.notes["all but classic equal after"] = round(time.monotonic() - began, 3)
            if reads and one_voice and not unequal:
                seconds = time.monotonic() - began
                self.evidence.reads = reads
                break
            if not asked and time.monotonic() - began > CLASSIC_S:
                asked = True
                drifted = [
                    seat
                    for seat in self.seats
                    if seat.is_classic and seat.live.is_set() and seat.trace.client in unequal
                ]
                self.recovered["classic copies fetched anew"] += len(drifted)
                for seat in drifted:
                    await seat.fetch()
            await asyncio.sleep(BETWEEN_S)
        else:
            self.evidence.reads = await self._read_all()
        self.evidence.awaited.append(Awaited("I2", f"everybody to be equal; not: {unequal[:6]}", EQUAL_S, seconds))
        self.notes["equal after"] = None if seconds is None else round(seconds, 3)

    async def _read_all(self) -> list[Read]:
        async def one(worker: Worker, subject: Subject) -> Read | None:
            try:
                answer = await self.doors.ask(worker, subject.host, "GET", subject.path)
            except BROKEN:
                return None
            if answer.status_code != 200:
                return None
            body = answer.json()
            return Read(worker.number, subject.diagram, body["epoch"], body["update_vector"], body["cells"])

        pairs = [(worker, subject) for worker in self.stage.workers for subject in self.subjects]
        reads = await asyncio.gather(*(one(*pair) for pair in pairs))
        return [] if None in reads else [read for read in reads if read is not None]

    async def _rosters(self) -> None:
        """I22: what each codraw.v1 client was told last is who is there."""
        began = time.monotonic()
        wrong: list[str] = []

        def right() -> bool:
            wrong[:] = [found for subject in self.subjects for found in self._roster_faults(subject)]
            return not wrong

        await self._await("I22", "all rosters to be right", ROSTER_S, began, right)
        if wrong:
            self.notes["rosters"] = wrong[:3]

    def _roster_faults(self, subject: Subject) -> Sequence[str]:
        here = [seat for seat in self.seats if seat.subject is subject and seat.over is None]
        present = {seat.guest.id for seat in here if seat.live.is_set()}
        present |= {agent.guest.id for agent in self.agents if agent.subject is subject and agent.live.is_live}
        found = []
        for seat in here:
            last = next(
                (e.message for e in reversed(seat.trace.entries)
                 if e.what == "received" and word(e.message) in ("participants", "participants_update")),
                None,
            )  # fmt: skip
            if last is None:
                continue
            told = {f"{one['user']['provider']}:{one['user']['provider_id']}" for one in last["participants"]}
            if told != present:
                found.append(
                    f"{seat.trace.client} on {seat.worker.number}: told {sorted(told)}, there are {sorted(present)}"
                )
        return found

    async def judge(self) -> dict[str, Verdict]:
        for subject in self.subjects:
            self.evidence.ledgers[subject.diagram] = await read(self.stage.rows, subject.diagram)
        self.evidence.traces = [one.trace for one in self.everybody]
        self.verdicts = await asyncio.to_thread(Checker(self.evidence).judge)
        self._count()
        self._complain()
        return self.verdicts

    def withdrawn(self, lost: Withdrawn) -> None:
        self.evidence.withdrawn.append(lost)

    def ended(self, ended: Ended) -> None:
        self.evidence.ended.append(ended)

    def _count(self) -> None:
        """What of recovery ran: told by traces and by the proxies' account."""
        if late := sorted(self.after_heal()):
            self.notes["receipts that waited for a heal"] = len(late)
            self.notes["the last of them after"] = round(late[-1], 3)
        counts = self.recovered
        for one in self.everybody:
            counts["operations sent again"] += one.counts["sent again"]
            counts["returns"] += one.counts["returns"]
            counts["impatient"] += one.counts["impatient"]
            for entry in one.trace.entries:
                self._count_entry(entry.message, entry.what)
        for name, count in self.stage.wires().items():
            counts[name] += count - self._before.get(name, 0)

    def _count_entry(self, message: Message, what: str) -> None:
        counts = self.recovered
        if what == "closed":
            counts[f"closed {message['code']}"] += 1
        elif what == "received":
            match word(message):
                case "operation_accepted" if message["duplicate"]:
                    counts["duplicates answered"] += 1
                case "resumed" if message["count"]:
                    counts["resumed with events"] += 1
                case "resumed":
                    counts["resumed"] += 1
                case "state":
                    counts[f"state: {message['reason']}"] += 1
                case "state_correction":
                    counts["corrections"] += 1
                case "operation_rejected" if message.get("retry"):
                    counts["refused for now"] += 1
                case "operation_rejected":
                    counts["refused"] += 1
                case "goodbye":
                    counts[f"goodbye: {message['reason']}"] += 1

    def _complain(self) -> None:
        self.problems += [fault for seat in self.seats for fault in seat.shape_faults[:2]]
        self.problems += [
            f"{agent.trace.client}: {agent.mismatches} mismatches" for agent in self.agents if agent.mismatches
        ]
        self.problems += [f"{seat.trace.client}: {seat.editor.faults[:3]}" for seat in self.seats if seat.editor.faults]
        if not self.expects_ends:
            self.problems += [f"{seat.trace.client} was sent away: {seat.over}" for seat in self.seats if seat.over]
        self.problems += self.stage.complaints(self.guests.secrets)
        for need in self.needs:
            if not self.recovered[need]:
                self.problems.append(f"does not count: no `{need}`")
        if not self.injected:
            self.problems.append("does not count: nothing was injected")


Fault = Callable[[Round], Awaitable[None]]
