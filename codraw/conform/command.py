"""The command `codraw conform`, without its options: runs, shows, writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from pathlib import Path

from rich.console import Console

from codraw.conform import report
from codraw.conform.people import NAMES, Unreachable
from codraw.conform.rules import TEXT, family, sentences
from codraw.conform.run import Choice, Result, Verdict, cases, conform
from codraw.conform.suite import FAMILIES, SUITE
from codraw.conform.unseen import UNSEEN

__all__ = ["Asked", "Exit", "Unreachable", "WrongUse", "list_rules", "run"]


OTHERWISE = ("no check yet", "invariants of a whole run: the simulator and the soak hold them")


class Exit(IntEnum):
    """What the command ends with."""

    KEPT = 0
    BROKEN = 1
    WRONG_USE = 2
    """Or nobody was there to be asked."""
    UNDECIDED = 3


class WrongUse(Exception):
    """An option names what there is not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Options as they were given."""

    rules: Sequence[str]
    families: Sequence[str]
    dialects: Sequence[str]
    tokens: Sequence[str]
    patience_s: float
    jobs: int
    slow: bool

    def choice(self) -> Choice:
        if not 0 < self.patience_s < float("inf"):
            raise WrongUse(f"--patience {self.patience_s:g}: it must be more than 0 seconds.")
        rules = _seen([one.upper() for one in self.rules])
        families = _known("family", [one.upper() for one in self.families], set(FAMILIES))
        dialects = _known("dialect", self.dialects, set(map(str, TEXT)))
        return Choice(rules, families, dialects, self.slow, self.patience_s, self.jobs)

    def people(self) -> dict[str, str]:
        given = dict(one.partition("=")[::2] for one in self.tokens)
        _known("token", list(given), set(NAMES))
        for name, token in given.items():
            if not token.strip():
                raise WrongUse(f"--token {name}=… holds no token.")
        if given and not {"alice", "bob"} <= given.keys():
            raise WrongUse("--token must be given for alice (who will own and host) and for bob at least.")
        return given


def _known(option: str, given: Sequence[str], known: set[str]) -> frozenset[str]:
    for one in given:
        if one not in known:
            raise WrongUse(f"--{option} {one}: there is none; see --list.")
    return frozenset(given)


def _seen(given: Sequence[str]) -> frozenset[str]:
    for id in given:
        if id in unseen():
            raise WrongUse(f"--rule {id}: it is not looked at: {unseen()[id]}.")
    return _known("rule", given, {id for check in SUITE for id in check.ids})


def unseen() -> dict[str, str]:
    """Rule id -> why there is no check of it."""
    checked = {id for check in SUITE for id in check.ids}
    return {id: UNSEEN.get(id, OTHERWISE[family(id) == "I"]) for id in (*sentences(), *UNSEEN) if id not in checked}


def run(url: str, asked: Asked, json: Path | None, console: Console) -> Exit:
    """Raises WrongUse and Unreachable."""
    choice, tokens = asked.choice(), asked.people()
    if not url.startswith(("http://", "https://")):
        raise WrongUse(f"{url} is no address of a server: it must start with http:// or https://.")
    if json is not None and (json.is_dir() or not json.parent.is_dir()):
        raise WrongUse(f"{json} cannot be written: there is no folder for it, or it is one itself.")
    results = _watched(url, choice, tokens, console)
    report.show(results, sentences(), console)
    if json is not None:
        report.write_json(results, url, json)
    found = {result.verdict for result in results}
    if Verdict.FAILED in found:
        return Exit.BROKEN
    return Exit.UNDECIDED if Verdict.UNDECIDED in found else Exit.KEPT


def _watched(url: str, choice: Choice, tokens: dict[str, str], console: Console) -> list[Result]:
    """On a terminal one line tells how far it is."""
    total, done = len(cases(choice)), count(1)
    with console.status(f"0 of {total}") as status:
        return asyncio.run(conform(url, choice, tokens, lambda _: status.update(f"{next(done)} of {total}")))


def list_rules(console: Console) -> None:
    report.catalogue(SUITE, unseen(), console)
