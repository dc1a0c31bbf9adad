"""One log, three engines (H6): `python -m tests.simulator.javascript --operations 10000`.

Random operations are applied by the naive engine, by the server's and, asked and effective form, by the JavaScript
client's: after each of them all have the same state hash.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from collab.core.apply import Applied, apply
from collab.core.diagram import Diagram
from protocol.cells import canonical_changes
from protocol.codec import Encoding, decode
from protocol.statehash import hex32
from protocol.values import DiagramId, Epoch, Limits, UserId
from tests.web.test_sdk import WEB, accepted_history

STEPS = 1_500
"""Of one history; about half of them are accepted."""

Differences = list[str]


def served(history: list[dict[str, Any]]) -> Differences:
    """Where the server's engine comes to another hash than the naive one."""
    diagram, limits, found = Diagram.found(DiagramId("d"), Epoch("e"), ()), Limits(), []
    for index, step in enumerate(history):
        asked = decode(json.dumps({"cells": step["asked"]}), Encoding.JSON)["cells"]
        changes = canonical_changes(asked, free_ids=False, limits=limits)
        outcome = apply(diagram, changes, UserId("test:ana"), limits)
        if not isinstance(outcome, Applied):
            return [*found, f"operation {index}: the server refuses it"]
        diagram = outcome.diagram
        if hex32(diagram.state_hash) != step["hash"]:
            found.append(f"operation {index}: the server has another hash")
    return found


def shown(history: list[dict[str, Any]], node: str) -> Differences:
    """The same of the client's."""
    command = [node, "tests/support/replay.js"]
    done = subprocess.run(
        command, cwd=WEB, input=json.dumps(history), capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        return [f"node failed: {done.stderr[-2_000:]}"]
    return [f"operation {index}: {what}" for index, what, *_ in json.loads(done.stdout)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.simulator.javascript", description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--base", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    node = shutil.which("node")
    skipped = [] if node else ["H6: there is no node on this machine"]
    operations, seed, found = 0, options.base, Differences()
    while node and operations < options.operations and not found:
        history = list(accepted_history(random.Random(seed), STEPS))
        found = [f"seed {seed}, {one}" for one in (*served(history), *shown(history, node))]
        operations, seed = operations + len(history), seed + 1
    word = "violated" if found else "held" if operations else "not exercised"
    summary = {
        "name": "H6 Python and JavaScript",
        "counts": {"operations": operations, "histories": seed - options.base, "differences": len(found)},
        "injected": {},
        "recoveries": {},
        "invariants": {"I13": word},
        "skipped": skipped,
    }
    for one in found[:10]:
        print(f"FAILED: {one}")
    for one in skipped:
        print(f"NOT RUN: {one}")
    if options.json is not None:
        options.json.write_text(json.dumps(summary | {"base": options.base, "failed": found[:10]}, indent=2))
    print(json.dumps(summary))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
