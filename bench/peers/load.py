"""What one run asks of the editors of a server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """`rooms` times `editors` connections, of which `senders` in every room send.

    `window` is operations under way for each sender; where `rate` (operations a second of each sender) is not 0, it
    binds instead. `warm` and `seconds` are the load that does not count and the one that does.
    """

    port: int
    pids: tuple[int, ...]
    rooms: int
    editors: int
    senders: int
    window: int
    rate: float
    warm: float
    seconds: float
    sample: int
