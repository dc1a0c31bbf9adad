"""What processes of this machine use, from /proc: the generator itself, and servers whose ids are given."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter

import msgspec

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Use(msgspec.Struct, frozen=True):
    """At one moment."""

    cpu_s: float
    memory_mib: float
    threads: int
    files: int


def use(pid: int) -> Use | None:
    """None: there is no such process (any more), or no /proc."""
    here = Path(f"/proc/{pid}")
    try:
        fields = (here / "stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in (here / "status").read_text().splitlines() if ":" in line)
        files = len(list((here / "fd").iterdir()))
    except OSError:
        return None
    memory = int(status["VmRSS"].split()[0]) / 1024 if "VmRSS" in status else 0.0
    return Use((int(fields[11]) + int(fields[12])) * TICK_S, round(memory, 1), int(status["Threads"]), files)


class Watch:
    """One process from now on; `share` is its part of one core since it was last asked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.begun = use(pid)
        self.most_mib = self.begun.memory_mib if self.begun else 0.0
        self._at, self._cpu_s = perf_counter(), self.begun.cpu_s if self.begun else 0.0

    def look(self) -> tuple[float, float]:
        """(share of one core, MiB)."""
        now, found = perf_counter(), use(self.pid)
        if found is None:
            return 0.0, 0.0
        share = (found.cpu_s - self._cpu_s) / max(now - self._at, TICK_S)
        self._at, self._cpu_s = now, found.cpu_s
        self.most_mib = max(self.most_mib, found.memory_mib)
        return round(share, 3), found.memory_mib
