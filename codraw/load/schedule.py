"""The open loop: what is due is due, whether the server keeps up or not, and lateness counts against it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from codraw.load.editor import Editor
from codraw.load.measures import Latency
from codraw.load.scenarios import Stroke

AT_ONCE = 500
"""After so many strokes in a row the event loop gets its turn, or nothing would be read under overload."""
CATCH_UP_S = 1.0
"""So long after the end what was due before it is still sent."""


class Schedule:
    """`strokes`: per editor, endless. `lag` takes how late each one was sent: that is the generator's own fault."""

    def __init__(
        self, strokes: Sequence[tuple[Editor, Iterator[Stroke]]], ids: Callable[[], str], lag: Latency
    ) -> None:
        self._strokes, self._ids, self._lag = strokes, ids, lag
        self._due: list[tuple[float, int, Stroke]] = []

    async def run(self, begin: float, end: float) -> None:
        """Clock readings of `perf_counter`. Returns at `end`, or a little later where it is late."""
        self._due = due = [
            (begin + (first := next(strokes)).pause_s, n, first) for n, (_, strokes) in enumerate(self._strokes)
        ]
        heapq.heapify(due)
        while due and due[0][0] < end:
            await asyncio.sleep(max(0.0, due[0][0] - perf_counter()))
            now = perf_counter()
            for _ in range(AT_ONCE):
                if due[0][0] > now or due[0][0] >= end:
                    break
                at, n, stroke = due[0]
                editor, strokes = self._strokes[n]
                self._lag.add(now - at)
                following = stroke  # who was sent away draws nothing meanwhile, and goes on where they were
                if editor.wants_in:
                    self._send(editor, stroke, at, n)
                    following = next(strokes)
                heapq.heapreplace(due, (at + following.pause_s, n, following))
            if now > end + CATCH_UP_S:
                break
        await asyncio.sleep(max(0.0, end - perf_counter()))

    def unsent(self, end: float, rate: float) -> int:
        """How many strokes were due long ago and never sent, about: they are not drawn to be counted."""
        until = min(end, perf_counter() - CATCH_UP_S)
        behind = (until - at for at, n, _ in self._due if at < until and self._strokes[n][0].wants_in)
        return round(sum(1 + behind_s * rate for behind_s in behind))

    def _send(self, editor: Editor, stroke: Stroke, at: float, number: int) -> None:
        if stroke.cells is None:
            editor.point(number, at)
        else:
            editor.edit(self._ids(), stroke.cells, at)
