"""What a run is to do: the options, once they are known to make sense."""

from __future__ import annotations

import math

import msgspec

from codraw.load.scenarios import DISTURBING, Scenario
from codraw.load.wire import Dialect

MOST_PADDING = 60_000
"""More a server need not take of one cell."""


class WrongUse(Exception):
    """An option that makes no sense: one sentence."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`rate`: strokes a second of each editor. `sessions`: of that scenario, how many live and end."""

    urls: tuple[str, ...]
    editors: int = 20
    diagrams: int = 1
    rate: float = 1.0
    duration_s: float = 10.0
    scenario: Scenario = Scenario.DRAWING
    seed: int = 1
    dialects: tuple[Dialect, ...] = (Dialect.V1,)
    tokens: tuple[str, ...] = ()
    tickets: bool = False
    slow: float = 0.1
    jitter_s: float = 10.0
    ramp: float = 200.0
    settle_s: float = 30.0
    padding: int = 0
    sessions: int = 1_000
    at_once: int = 20
    pids: tuple[int, ...] = ()
    keep: bool = False

    @property
    def people(self) -> int:
        """A person sits at most once on each diagram: a server may limit how often."""
        seats = math.ceil(self.editors / self.diagrams)
        return max(seats, 2) if self.scenario is Scenario.SESSIONS else seats

    @property
    def disturbed(self) -> int:
        """How many a storm cuts off, or read slowly. One of each diagram is left in peace."""
        others = self.editors - self.diagrams
        return min(round(self.slow * self.editors), others) if self.scenario is Scenario.SLOW_READERS else others

    def checked(self) -> Plan:
        """Raises WrongUse."""
        for url in self.urls:
            if not url.startswith(("http://", "https://")):
                raise WrongUse(f"{url} is no address of a server: it must start with http:// or https://.")
        if self.editors < self.diagrams:
            raise WrongUse(f"{self.diagrams} diagrams need as many editors at least, not {self.editors}.")
        for name, value in (("rate", self.rate), ("duration", self.duration_s), ("ramp", self.ramp)):
            if not 0 < value < math.inf:
                raise WrongUse(f"--{name} must be more than 0.")
        for name, value in (("jitter", self.jitter_s), ("settle", self.settle_s)):
            if not 0 <= value < math.inf:
                raise WrongUse(f"--{name} is a number of seconds, not less than 0.")
        if not 0 <= self.padding <= MOST_PADDING:
            raise WrongUse(f"--padding is a number of bytes, at most {MOST_PADDING}.")
        if not 0 <= self.slow < 1:
            raise WrongUse("--readers-slow is a share, from 0 to less than 1.")
        if self.scenario in DISTURBING and not self.disturbed:
            needed = "more --editors" if self.scenario is Scenario.JOIN_STORM else "more --editors or --readers-slow"
            raise WrongUse(
                f"Of {self.editors} editors on {self.diagrams} diagrams {self.scenario} disturbs nobody: give {needed}."
            )
        if self.tokens and len(self.tokens) < self.people:
            raise WrongUse(
                f"{self.people} people sit on a diagram: give --token so many times, not {len(self.tokens)}."
            )
        if self.scenario is Scenario.CURSORS and not all(dialect.is_v1 for dialect in self.dialects):
            raise WrongUse("The scenario cursors needs codraw.v1: in the other dialects only a presenter has a cursor.")
        return self
