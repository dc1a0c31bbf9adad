"""The command `codraw load`, without its options: runs, shows while it runs, and writes what came of it."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum, StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
from rich.console import Console
from rich.live import Live

from codraw.load import report
from codraw.load.measures import Measures, Sample
from codraw.load.plan import Plan, WrongUse
from codraw.load.results import Results
from codraw.load.run import Run
from codraw.load.scenarios import Scenario
from codraw.load.stage import Unready
from codraw.load.wire import Dialect

__all__ = ["Exit", "Plan", "Unready", "WrongUse", "plan", "run"]

HERE = "http://127.0.0.1:8080"
EVERY = 5
"""Where no terminal is, a line so often, in seconds, and one at once."""
EARLY_S = 1.5
ENDS = (signal.SIGINT, signal.SIGTERM)


class Exit(IntEnum):
    """What the command ends with."""

    GOOD = 0
    FAULTS = 1
    WRONG_USE = 2
    """Or nobody was there to be loaded."""
    INTERRUPTED = 130
    """By Ctrl-C; what came of the time until then is written all the same."""


def plan(urls: Sequence[str] | None, **options: Any) -> Plan:
    """The options as they were given; None leaves what is usual. Raises WrongUse."""
    given = {name: value for name, value in options.items() if value is not None}
    _known("scenario", options.get("scenario"), Scenario)
    for dialect in options.get("dialects") or ():
        _known("dialect", dialect, Dialect)
    try:
        return msgspec.convert({**given, "urls": urls or (HERE,)}, Plan).checked()
    except msgspec.ValidationError as error:
        raise WrongUse(f"{error}.") from None


def _known(option: str, given: str | None, names: type[StrEnum]) -> None:
    if given is not None and given not in list(names):
        raise WrongUse(f"--{option} {given}: there is none; it is one of {', '.join(names)}.")


def run(plan: Plan, console: Console, json: Path | None = None, page: Path | None = None) -> Exit:
    """Raises Unready, and WrongUse where nothing could be written in the end."""
    for path in (json, page):
        if path is not None:
            _writable(path)
    found = _watched(plan, console)
    report.show(found, console)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    if page is not None:
        page.write_text(report.page(found), "utf-8")
    if not found.is_good:
        return Exit.FAULTS
    return Exit.INTERRUPTED if found.is_interrupted else Exit.GOOD


def _writable(path: Path) -> None:
    """Tried out, and left as it is. Raises WrongUse."""
    if not path.parent.is_dir():
        raise WrongUse(f"{path} cannot be written: there is no folder {path.parent}.")
    is_new = not path.exists()
    if is_new or path.is_file() or path.is_dir():  # a pipe is not to be opened twice
        try:
            path.open("ab").close()
        except OSError as error:
            raise WrongUse(f"{path} cannot be written: {error.strerror}.") from None
        if is_new:
            path.resolve().unlink()  # and not the link to what is not there yet


def _watched(plan: Plan, console: Console) -> Results:
    if not console.is_terminal:
        return _run(Run(plan, lambda sample, _: _line(sample, console), again(sys.argv[1:])))
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def watch(sample: Sample, measures: Measures) -> None:
            live.update(report.live(plan, sample, measures))

        return _run(Run(plan, watch, again(sys.argv[1:])))


def again(words: Sequence[str]) -> str:
    """What was typed after the name of the program; a token stays out of reports."""
    shown = [
        "TOKEN" if before == "--token" else "--token=TOKEN" if word.startswith("--token=") else word
        for before, word in pairwise(["", *words])
    ]
    return shlex.join(["codraw", *shown])


def _line(sample: Sample, console: Console) -> None:
    if round(sample.second) % EVERY == 0 or sample.second < EARLY_S:
        console.print(report.line(sample), highlight=False)


def _run(one: Run) -> Results:
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.run(_interruptible(one))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_interruptible(one))


async def _interruptible(one: Run) -> Results:
    """The first Ctrl-C, or SIGTERM as of a job that is called off, ends the load, a second one everything."""
    loop, running = asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())

    def interrupt() -> None:
        if one.is_stopped:
            running.cancel()
        one.stop()

    with suppress(NotImplementedError):  # there are no such signals on Windows
        for number in ENDS:
            loop.add_signal_handler(number, interrupt)
    try:
        return await one.run()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        with suppress(NotImplementedError):
            for number in ENDS:
                loop.remove_signal_handler(number)
