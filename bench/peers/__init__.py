"""The peers of `make bench`: servers of other projects under the same load, installed at run time, driven by ours.

None of them stores an operation durably before it tells anybody; each runs as its defaults are, in production mode,
documents in memory, deflate off. Each has a server driver (`yjs.mjs` …: port as argument, prints `listening`) and a
function that plays editors against it (`plans.py`: the plan of bench/generator.c).
"""

from __future__ import annotations

from bench.peers.install import prepare
from bench.peers.load import Load
from bench.peers.peer import PEERS, Peer

__all__ = ["PEERS", "Load", "Peer", "prepare"]
