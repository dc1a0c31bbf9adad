"""The parent of several workers: owns the listening sockets, replaces who dies, and sees everybody out.

1. A worker is a fresh interpreter; it has the sockets from here and hears by the end of its standard input that the
   parent is gone.
2. Each worker has a socket of its own, over which the kernel spreads connections, and the others' besides: what waits
   on a socket is lost with no worker, and waits for none that is dead or stopped.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from codraw.metrics import Row, Show, unseen
from codraw.settings import Settings, handed
from collab.tasks import Tasks

STANDS_S = 60.0
"""So long a replacement may take until it is ready; then the old one stays."""
ANSWER_S = 1.0
"""So long a worker may take to tell its metrics."""
LONGEST_REPORT = 4 * 1024 * 1024
LEAVE_S = 25.0
"""A worker ends by itself before that (`serve.DRAIN_S`, `serve.CUT_S`); one that does not is killed."""
LIVED_S = 5.0
"""Who has lived so long did not die of being started."""
LONGEST_WAIT_S = 16.0
NO_ROOM_S = 1.0
"""Until a process is tried again that the system would not start."""

log = logging.getLogger(__name__)


class Process:
    """One worker, as its parent sees it: what it has reported, and whether it is over."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._born_s = asyncio.get_running_loop().time()
        self.refusal: str | None = None
        self.stands = False
        self.listened = asyncio.Event()
        """It takes connections, or is over."""
        self.settled = asyncio.Event()
        """It stands, or is over."""
        self.over = asyncio.Event()
        self._metrics: asyncio.Future[Sequence[Row]] | None = None

    @classmethod
    async def start(cls, settings: Settings, listeners: Sequence[socket.socket], *, beside_others: bool) -> Process:
        """The first of `listeners` is its own."""
        fds = [listener.fileno() for listener in listeners]
        # -P, and this process's own path: a folder called `rest` where the server was started is not ours.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "codraw.worker", *map(str, fds)),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=fds,
            limit=LONGEST_REPORT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        )
        worker = cls(process)
        worker.say({"settings": handed(settings), "beside_others": beside_others})
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lived_s(self) -> float:
        return asyncio.get_running_loop().time() - self._born_s

    @property
    def end(self) -> str:
        code = self._process.returncode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def say(self, word: Any) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(json.dumps(word).encode() + b"\n")

    def metrics(self) -> asyncio.Future[Sequence[Row]]:
        """Asked for, and not again while there is no answer."""
        if self._metrics is None or self._metrics.done():
            self._metrics = asyncio.get_running_loop().create_future()
            self.say("metrics")
        return self._metrics

    async def follow(self) -> None:
        """Its reports, until it is over."""
        reports = self._process.stdout
        while reports is not None and (line := await reports.readline()):
            said = told(line)
            self.refusal = said.get("refused", self.refusal)
            if "metrics" in said and self._metrics is not None and not self._metrics.done():
                self._metrics.set_result(said["metrics"])
            if "listens" in said:
                self.listened.set()
            if "stands" in said:
                self.stands = True
                self.settled.set()
        await self._process.wait()
        for event in (self.listened, self.settled, self.over):
            event.set()

    async def leave(self) -> None:
        """Drained, or killed if that takes too long; returns when it is over."""
        self.say("drain")
        try:
            await asyncio.wait_for(self.over.wait(), LEAVE_S)
        except TimeoutError:
            log.error("worker %d does not leave and is killed", self.pid)
            self._process.kill()
            await self.over.wait()


class Supervisor:
    """`started` hears the process ids once all of the first workers take connections, and `show` whom to ask
    for metrics."""

    def __init__(
        self,
        settings: Settings,
        listeners: Sequence[socket.socket],
        started: Callable[[Sequence[int]], None],
        show: Show = unseen,
    ) -> None:
        self._settings, self._listeners, self._started, self._show = settings, list(listeners), started, show
        self._crew: list[Process] = []
        self._living: set[Process] = set()
        self._tasks = Tasks()
        self._rolling: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._refusal: str | None = None
        self._served = False
        """Some worker has stood: what the settings name was good, so that a refusal may pass, as of a standby that is
        about to be promoted, and is no reason to end the others."""

    async def run(self) -> str | None:
        """Until it is told to stop; the sentence with which a worker has refused to serve."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.roll)
        self._crew = [await self._start(place) for place in range(self._settings.workers)]
        self._tasks.start("announce", self._announce())
        for place in range(len(self._crew)):
            self._tasks.start(f"keep {place}", self._keep(place))
        self._show(self.metrics)
        await self._stopping.wait()
        # Nobody takes what would come now: whoever knocks is to learn it at once.
        for listener in self._listeners:
            listener.close()
        while self._living:
            await asyncio.wait([self._tasks.start("leave", process.leave()) for process in self._living])
        await self._tasks.close()
        return self._refusal

    async def metrics(self) -> Mapping[int, Sequence[Row] | None]:
        """Of each place; None: whoever has it does not answer."""
        asked = [process.metrics() for process in self._crew]
        await asyncio.wait(asked, timeout=ANSWER_S)
        return {place: one.result() if one.done() else None for place, one in enumerate(asked)}

    def stop(self) -> None:
        """All drain; at the second word they end at once."""
        word = "now" if self._stopping.is_set() else "drain"
        self._stopping.set()
        for process in self._living:
            process.say(word)

    def roll(self) -> None:
        """Replaces the workers one by one, the new one first."""
        if self._rolling is None or self._rolling.done():
            self._rolling = self._tasks.start("roll", self._roll())

    async def _start(self, place: int) -> Process:
        own = place % len(self._listeners)
        process = await Process.start(
            self._settings,
            self._listeners[own:] + self._listeners[:own],
            beside_others=any(one.stands for one in self._living),
        )
        self._living.add(process)
        following = self._tasks.start(f"follow {process.pid}", process.follow())
        following.add_done_callback(lambda _: self._living.discard(process))
        if self._stopping.is_set():
            process.say("drain")
        return process

    async def _announce(self) -> None:
        for process in list(self._crew):
            await process.listened.wait()
        if not self._stopping.is_set():
            self._started([process.pid for process in self._crew])

    async def _keep(self, place: int) -> None:
        """Somebody at this place, whatever happens."""
        failures = 0
        while not self._stopping.is_set():
            process = self._crew[place]
            await process.over.wait()
            self._served |= any(one.stands for one in (process, *self._living))
            if self._crew[place] is not process or self._stopping.is_set():
                continue
            if process.refusal is not None and not self._served:
                self._refuse(process.refusal)
                return
            why = process.refusal or process.end
            log.warning("worker %d ended (%s), another one takes its place", process.pid, why)
            failures = 0 if process.lived_s >= LIVED_S else failures + 1
            await self._pause(0.0 if failures <= 1 else min(2.0 ** (failures - 2), LONGEST_WAIT_S))
            if self._crew[place] is process and not self._stopping.is_set():
                await self._fill(place, process)

    async def _fill(self, place: int, old: Process) -> None:
        try:
            new = await self._start(place)
        except OSError as error:
            log.error("no worker can be started now: %s", error)
            await self._pause(NO_ROOM_S)
            return
        if self._crew[place] is old:
            self._crew[place] = new
        else:
            # While it was started the place was filled by `_roll`.
            await new.leave()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _refuse(self, sentence: str) -> None:
        self._refusal = self._refusal or sentence
        if not self._stopping.is_set():
            self.stop()

    async def _roll(self) -> None:
        for place in range(len(self._crew)):
            if self._stopping.is_set():
                return
            new = await self._start(place)
            with suppress(TimeoutError):
                await asyncio.wait_for(new.settled.wait(), STANDS_S)
            old = self._crew[place]
            if not new.stands or new.over.is_set():
                why = new.refusal or "it is not ready"
                log.error("worker %d does not replace worker %d: %s", new.pid, old.pid, why)
                await new.leave()
                return
            self._crew[place] = new
            log.info("worker %d replaces worker %d", new.pid, old.pid)
            await old.leave()


def told(line: bytes) -> dict[str, Any]:
    """A report; what somebody else has written into that pipe is none."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}


def supervise(
    settings: Settings,
    listeners: Sequence[socket.socket],
    started: Callable[[Sequence[int]], None],
    show: Show = unseen,
) -> str | None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        return asyncio.run(Supervisor(settings, listeners, started, show).run())
    finally:
        # A loop that closes leaves them to the system, which ends who may still have to clear up.
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
