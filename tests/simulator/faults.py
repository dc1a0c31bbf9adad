"""What may go wrong in a simulated world, and how often: chances per step, per piece of news, per call of the store."""

from __future__ import annotations

from collections.abc import Collection

STORMS = {
    # one per step
    "kill": 0.006,
    "doom": 0.004,
    "freeze": 0.002,
    "outage": 0.0015,
    "deafness": 0.002,
    "damage": 0.003,
    "epoch": 0.0015,
    "drain": 0.0015,
    "close": 0.006,
    "demote": 0.003,
    "eject": 0.0015,
    "end": 0.0015,
    "expire": 0.002,
    "cut": 0.010,
    "halve": 0.006,
    # one per piece of news and worker
    "lose": 0.20,
    "double": 0.10,
    "forge": 0.05,
    # one per call
    "unresolved": 0.08,
    "unavailable": 0.02,
    "repeat": 0.10,
}
"""`kill`: -9 between two steps. `doom`: -9 between two effects of one step, frames half written. `freeze`: SIGSTOP.
`outage`: the store is away. `deafness`: the bus is away. `damage`: a flipped cell in one room's memory. `epoch`: a
backup was played back. `drain`: SIGTERM. `close`: an empty room goes. `demote`, `eject`, `end`, `expire`: rights,
removal, end of the session, end of a login. `cut`: a socket breaks; `halve`: its server hears of that much later.
`repeat`: a client sends twice.
"""

BY_CALL = frozenset(("lose", "double", "forge", "unresolved", "unavailable", "repeat"))
"""Those that are not drawn per step."""


class Faults:
    """`without`: kinds that are drawn and do not happen, so that the rest of a history stays as it was."""

    def __init__(self, *, on: bool = True, without: Collection[str] = ()) -> None:
        self.on = on
        self.without = frozenset(without)
        self.chances = dict(STORMS) if on else dict.fromkeys(STORMS, 0.0)

    def __getitem__(self, name: str) -> float:
        return 0.0 if name in self.without else self.chances[name]
