"""The course of one run: the stage is built, editors come in, strokes fall due, somebody disturbs, all must agree."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from codraw.client import CodrawError
from codraw.load import results
from codraw.load.agreement import Agreement, agree
from codraw.load.crew import Crew
from codraw.load.editor import Editor
from codraw.load.lives import live_and_end
from codraw.load.measures import Measures, Sample
from codraw.load.plan import Plan
from codraw.load.results import Results
from codraw.load.scenarios import DISTURBING, STROKES, Hand, Scenario, Stroke, chance_of, uuid
from codraw.load.schedule import Schedule
from codraw.load.stage import Stage, Unready
from codraw.load.usage import Watch, use
from collab.tasks import Tasks

KEEP_UP_S = 0.1
SAMPLE_S = 1.0
STORM_AT = 0.3
SLOW_AT = 0.5


def quiet(name: str, error: BaseException) -> None:
    """Whoever started the task looks at how it ended."""


class Loaded(NamedTuple):
    """The time under load, without the ramp before and the settling after it."""

    took_s: float = 1e-9
    counts: Mapping[str, int] = {}
    cpu: float = 0.0


def unwatched(_sample: Sample, _measures: Measures) -> None:
    """Nobody looks on."""


class Run:
    """`watch` hears of every second; `command`: how to do the same again, for the report."""

    def __init__(self, plan: Plan, watch: Callable[[Sample, Measures], None] = unwatched, command: str = "") -> None:
        self.plan, self.watch, self.command = plan, watch, command
        self.measures = Measures()
        self.tasks = Tasks(quiet)
        self.stage = Stage(plan.urls, plan.tokens, plan.seed, self.measures, self.tasks)
        self.crew = Crew(plan, self.stage, self.measures, self.tasks)
        self.servers = [Watch(pid) for pid in plan.pids]
        self.generator = Watch(os.getpid())
        self._chance, self._chance_of_ids = chance_of(plan.seed, "run"), chance_of(plan.seed, "ids")
        self._sampled = Watch(os.getpid())
        self._stop = asyncio.Event()

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """The load ends here; what is under way is still waited for, held against GET and reported."""
        self._stop.set()

    async def run(self) -> Results:
        """Raises Unready."""
        _many_files()
        begun_at = datetime.now(UTC).isoformat(timespec="seconds")
        agreement: Agreement | None = None
        loaded = Loaded()
        try:
            is_live = self.plan.scenario is not Scenario.SESSIONS
            if not await self._unless_stopped(self.stage.build(self.plan.people, self.plan.diagrams, live=is_live)):
                raise Unready("Interrupted before anybody was there.")
            server = await self._server()
            if is_live:
                agreement, loaded = await self._editing()
            else:
                loaded = await self._sessions()
        finally:
            self.crew.cut()
            await self.stage.strike(keep=self.plan.keep)
            await self.tasks.close()
        return self._results(begun_at, server, agreement, loaded)

    async def _server(self) -> str:
        try:
            said = await self.stage.host.home.request("GET", "/", headers={"Accept": "application/json"})
        except CodrawError:
            return "unknown"
        service = said.get("service") if isinstance(said, dict) else None
        return str(service["build"]) if isinstance(service, dict) and "build" in service else "unknown"

    async def _editing(self) -> tuple[Agreement | None, Loaded]:
        self.crew.hire()
        keeping_up = self.tasks.start("load replay", self._keep_up())
        if not await self._come_in():
            return None, Loaded()
        begin = perf_counter()
        end = begin + self.plan.duration_s
        schedule = Schedule(self._strokes(), self._ids, self.measures.lag)
        disturbing = self.tasks.start("load disturbance", self._disturb(begin))
        loaded = await self._loaded(schedule.run(begin, end))
        if unsent := schedule.unsent(end, self.plan.rate):
            self.measures.tally["due and not sent"] = unsent
        if not await self._unless_stopped(self._over(disturbing)):
            self._speed_up()
            self._call_back()
        keeping_up.cancel()
        found = await agree(self.stage, self.crew.editors, self.plan.settle_s, self.measures, self.tasks)
        await self.crew.dismiss()
        return found, loaded

    async def _sessions(self) -> Loaded:
        return await self._loaded(live_and_end(self.plan, self.stage, self.measures, self.tasks))

    async def _come_in(self) -> bool:
        """Shown to those who look on, but no part of what is measured."""
        watching = self.tasks.start("load ramp", self._sample(lambda sample: self.watch(sample, self.measures)))
        try:
            return await self._unless_stopped(self.crew.come_in())
        finally:
            watching.cancel()

    async def _unless_stopped(self, work: Coroutine[Any, Any, object]) -> bool:
        """False: it was cut short."""
        working, stopped = self.tasks.start("load", work), self.tasks.start("load stop", self._stop.wait())
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if working.done():
            working.result()
            return True
        working.cancel()
        await asyncio.wait((working,))
        return False

    async def _loaded(self, work: Coroutine[Any, Any, None]) -> Loaded:
        before, begun = self._counts(), perf_counter()
        self.generator.look()
        self._sampled.look()
        sampling = self.tasks.start("load samples", self._sample(self._keep))
        await self._unless_stopped(work)
        sampling.cancel()
        cpu, _ = self.generator.look()
        return Loaded(perf_counter() - begun, self._counts() - before, cpu)

    def _strokes(self) -> list[tuple[Editor, Iterator[Stroke]]]:
        """Each editor draws from a chance of its own: more editors leave those that were there as they are."""
        plan, draw = self.plan, STROKES[self.plan.scenario]

        def hand(number: int, editor: Editor) -> Hand:
            return Hand(self.stage.shared[number % plan.diagrams], chance_of(plan.seed, editor.name), plan.padding)

        return [(editor, draw(hand(n, editor), plan.rate)) for n, editor in enumerate(self.crew.writers)]

    def _ids(self) -> str:
        return uuid(self._chance_of_ids)

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(KEEP_UP_S)
            for board in self.stage.boards:
                board.replay()
            for editor in self.crew.editors:
                editor.compare()

    # disturbances -----------------------------------------------------------------------------------------------------

    async def _disturb(self, begin: float) -> None:
        match self.plan.scenario:
            case Scenario.JOIN_STORM:
                await asyncio.sleep(begin + STORM_AT * self.plan.duration_s - perf_counter())
                await self._storm()
            case Scenario.SLOW_READERS:
                await asyncio.sleep(begin + SLOW_AT * self.plan.duration_s - perf_counter())
                self._slow_down()
                await asyncio.sleep(begin + self.plan.duration_s - perf_counter())
                self._speed_up()

    async def _over(self, disturbing: asyncio.Task[None]) -> None:
        """Who cannot come back, since nobody lets them in, is found missing when all must agree."""
        with suppress(TimeoutError):
            await asyncio.wait_for(disturbing, self.plan.jitter_s + self.plan.settle_s)

    async def _storm(self) -> None:
        """All but one of each diagram lose their connection at once, and return within the jitter."""
        self.measures.begin("storm")
        dropped, away = perf_counter(), self.crew.writers[self.plan.diagrams :]
        for editor in away:
            editor.wants_in = False
            if editor.line is not None:
                editor.line.cut()
        # Whoever is cut learns of it at the next turn of the loop, and must not be dialled before.
        await asyncio.sleep(0)
        loop, states = asyncio.get_running_loop(), self.measures.tally["full states"]
        for editor in away:
            loop.call_later(self._chance.uniform(0, self.plan.jitter_s), self._return, editor)
        while not all(editor.is_in_sync for editor in away):  # noqa: ASYNC110 - nothing tells of the last
            await asyncio.sleep(0.02)
        self.measures.step("storm until all are in sync").add(perf_counter() - dropped)
        self.measures.tally["full states in the storm"] = self.measures.tally["full states"] - states

    def _return(self, editor: Editor) -> None:
        if not editor.wants_in:
            editor.wants_in = True
            self.crew.bring(editor)

    def _call_back(self) -> None:
        """All who are still away, whenever they were to return."""
        for editor in self.crew.editors:
            self._return(editor)

    def _slow_down(self) -> None:
        """Every other one of them reads nothing at all."""
        self.measures.begin("slow readers")
        those = self.crew.writers[self.plan.diagrams :]
        for number, editor in enumerate(those[: self.plan.disturbed]):
            editor.slow_down(trickle=number % 2 == 0)

    def _speed_up(self) -> None:
        for editor in self.crew.editors:
            editor.recover()

    # looking on -------------------------------------------------------------------------------------------------------

    async def _sample(self, take: Callable[[Sample], None]) -> None:
        """Once a second."""
        begun = then = perf_counter()
        before = self._counts()
        for number in count(1):
            await asyncio.sleep(begun + number * SAMPLE_S - perf_counter())
            at, now = perf_counter(), self._counts()
            step = {name: now[name] - before[name] for name in now}
            take(self._sampled_at(at - begun, at - then, step))
            before, then = now, at

    def _keep(self, sample: Sample) -> None:
        self.measures.samples.append(sample)
        self.watch(sample, self.measures)

    def _counts(self) -> Counter[str]:
        tally = self.measures.tally
        return Counter(
            operations=tally["operations"],
            deliveries=tally["deliveries"] + tally["cursors seen"],
            rejections=self.measures.rejections.total(),
            closes=self.measures.closes.total(),
        )

    def _sampled_at(self, second: float, span_s: float, step: Mapping[str, int]) -> Sample:
        """Of a generator without time a second may be longer: the rates are those of the time that it was."""
        receipt, delivery = self.measures.receipt.recent(), self.measures.delivery.recent()
        self.measures.fold()
        return Sample(
            second=round(second, 2),
            connected=sum(editor.is_in_sync for editor in self.crew.editors),
            operations=round(step.get("operations", 0) / span_s),
            deliveries=round(step.get("deliveries", 0) / span_s),
            receipt_p50=receipt.at(50),
            receipt_p99=receipt.at(99),
            delivery_p50=delivery.at(50),
            delivery_p99=delivery.at(99),
            rejections=step.get("rejections", 0),
            closes=step.get("closes", 0),
            generator_cpu=self._sampled.look()[0],
            servers={str(server.pid): server.look() for server in self.servers},
        )

    def _results(self, begun_at: str, server: str, agreement: Agreement | None, loaded: Loaded) -> Results:
        measures = self.measures
        return Results(
            begun_at=begun_at,
            machine=results.machine(),
            python=sys.version.split()[0],
            server=server,
            command=self.command,
            plan=msgspec.structs.replace(self.plan, tokens=()),
            took_s=round(loaded.took_s, 3),
            operations_per_s=round(loaded.counts.get("operations", 0) / loaded.took_s, 1),
            deliveries_per_s=round(loaded.counts.get("deliveries", 0) / loaded.took_s, 1),
            latencies=results.latencies(measures),
            phases=results.phases(measures),
            curves={"receipt": measures.receipts.curve(), "delivery": measures.deliveries.curve()},
            tally=dict(measures.tally),
            rejections=dict(measures.rejections),
            closes={str(code): count for code, count in measures.closes.items()},
            faults=dict(measures.faults),
            examples=measures.examples,
            agreement=agreement,
            generator_cpu=loaded.cpu,
            servers=results.served(self.servers, [use(server.pid) for server in self.servers]),
            remarks=self._remarks(loaded),
            samples=measures.samples,
            is_interrupted=self.is_stopped,
        )

    def _remarks(self, loaded: Loaded) -> list[str]:
        cut = f"Interrupted, {loaded.took_s:.1f} s under load: what is told is that of this time."
        found = [cut] if self.is_stopped else []
        if self.plan.scenario in DISTURBING and len(self.measures.phases) == 1:
            found.append("It was over before anybody was disturbed.")
        return found + results.remarks(self.measures, loaded.cpu)


def _many_files() -> None:
    """As many connections as the machine allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
