"""The end of a run: everybody has everything, every question its answer, and all show what every worker shows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter

import msgspec

from codraw.client import CodrawError
from codraw.load.board import Board
from codraw.load.editor import Editor
from codraw.load.measures import Measures
from codraw.load.stage import Shown, Stage, each
from codraw.load.wire import Dialect
from collab.tasks import Tasks


class Agreement(msgspec.Struct, frozen=True):
    """`settled_s`: from the last stroke until nobody waited any more."""

    settled_s: float
    is_settled: bool
    diagrams: int
    workers: int
    editors: int
    operations_replayed: int


def is_settled(editor: Editor) -> bool:
    """Nothing of it is unanswered, and it has heard of all that anybody has heard of."""
    if editor.dialect is Dialect.CLASSIC:
        editor.finish()
    return editor.is_in_sync and editor.is_answered and editor.vector >= editor.board.newest


async def settle(editors: Sequence[Editor], patience_s: float) -> tuple[float, bool]:
    """(how long it took, whether they all came to it). Who is settled may have to wait again for what others said."""
    begun = perf_counter()
    while waiting := [editor for editor in editors if not is_settled(editor)]:
        if perf_counter() - begun > patience_s:
            return perf_counter() - begun, False
        await asyncio.sleep(0.02)
        for board in {id(editor.board): editor.board for editor in waiting}.values():
            board.replay()
    return perf_counter() - begun, True


async def agree(
    stage: Stage, editors: Sequence[Editor], patience_s: float, measures: Measures, tasks: Tasks
) -> Agreement:
    took_s, settled = await settle(editors, patience_s)

    async def one(board: Board) -> int:
        board.replay()
        here = [editor for editor in editors if editor.board is board]
        for place, url in enumerate(stage.urls):
            try:
                _hold(board, here, await stage.shown(board, place), url, measures)
            except CodrawError as error:
                measures.fault("no answer", f"GET of {board.diagram} at {url}: {error}")
        return board.replayed

    replayed = await each(tasks, stage.boards, one)
    for editor in editors:
        if not editor.is_in_sync:
            measures.fault("away", f"{editor.name} was not let in again, or not told what it missed")
        if editor.pending:
            measures.fault("unanswered", f"{editor.name} waits for {len(editor.pending)} outcomes")
    return Agreement(round(took_s, 3), settled, len(stage.boards), len(stage.urls), len(editors), sum(replayed))


def _hold(board: Board, editors: Sequence[Editor], shown: Shown, url: str, measures: Measures) -> None:
    """One diagram at one worker. An editor's copy is the replay up to its vector: it got the same frames."""
    for editor in editors:
        if editor.vector != shown.vector:
            measures.fault("disagreement", f"{editor.name} is at {editor.vector}, GET at {url} shows {shown.vector}")
    if board.replayed != shown.vector:
        measures.fault(
            "disagreement", f"{board.diagram}: replayed to {board.replayed}, GET at {url} is at {shown.vector}"
        )
    elif board.replica.state_hash != shown.state_hash:
        measures.fault(
            "disagreement", f"{board.diagram} at {shown.vector}: GET at {url} shows other cells than the replay"
        )
    elif list(board.replica.confirmed.order()) != shown.order:
        measures.fault(
            "disagreement", f"{board.diagram} at {shown.vector}: GET at {url} shows the cells in another order"
        )
