"""The command `codraw load`, without its options: runs, shows while it runs, and writes what came of it."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live

from codraw.load import report
from codraw.load.measures import Measures, Sample
from codraw.load.plan import Plan, WrongUse
from codraw.load.results import Results
from codraw.load.run import Run
from codraw.load.stage import Unready

__all__ = ["Exit", "Plan", "Unready", "WrongUse", "plan", "run"]

HERE = "http://127.0.0.1:8080"
EVERY = 5
"""Where no terminal is, a line so often, in seconds."""


class Exit(IntEnum):
    """What the command ends with."""

    GOOD = 0
    FAULTS = 1
    WRONG_USE = 2
    """Or nobody was there to be loaded."""


def plan(urls: Sequence[str] | None, **options: Any) -> Plan:
    """The options as they were given; None leaves what is usual. Raises WrongUse."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return msgspec.convert({**given, "urls": urls or (HERE,)}, Plan).checked()
    except msgspec.ValidationError as error:
        raise WrongUse(f"{error}.") from None


def run(plan: Plan, console: Console, json: Path | None = None, page: Path | None = None) -> Exit:
    """Raises Unready."""
    found = _watched(plan, console)
    report.show(found, console)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    if page is not None:
        page.write_text(report.page(found), "utf-8")
    return Exit.GOOD if found.is_good else Exit.FAULTS


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
    if round(sample.second) % EVERY == 0:
        console.print(report.line(sample), highlight=False)


def _run(one: Run) -> Results:
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return asyncio.run(one.run())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(one.run())
