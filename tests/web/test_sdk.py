"""The JavaScript tests run, and the client's reading of the cell rules is the server's."""

from __future__ import annotations

import json
import random
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protocol.cells import canonical_changes
from protocol.operations import CellEffect
from protocol.refusals import CellError
from protocol.statehash import hex32
from protocol.values import Limits
from tests.naive import ACCEPTED, NaiveDiagram

WEB = Path(__file__).parents[2] / "web"
STEPS = 800

Changes = list[dict[str, Any]]


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, cwd=WEB, input=stdin, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    return done.stdout


def test_the_javascript_tests_pass(node: str) -> None:
    run(node, "--test", *(str(path) for path in sorted(WEB.glob("tests/*.test.js"))))


def test_OP12_OP13_the_client_reads_operations_as_the_server_does(node: str) -> None:
    """Both ways a client follows its own operation: from what it asked, and from the effective form it is answered."""
    history = list(accepted_history(random.Random(20), STEPS))
    assert len(history) > STEPS // 3, "the history says too little"
    differences = json.loads(run(node, "tests/support/replay.js", stdin=json.dumps(history)))
    assert [(history[index]["asked"], what) for index, what, _ in differences[:3]] == []


def accepted_history(dice: random.Random, steps: int) -> Iterator[dict[str, Any]]:
    diagram, limits = NaiveDiagram([]), Limits()
    ids = [str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(12)]
    for _ in range(steps):
        asked = random_changes(dice, diagram, ids)
        try:
            verdict, effect = diagram.apply(canonical_changes(asked, free_ids=False, limits=limits), limits)
        except CellError:
            continue
        if verdict == ACCEPTED and effect is not None:
            yield {"asked": asked, "effect": [wire(entry) for entry in effect.cells], "hash": hex32(diagram.hash())}


def wire(entry: CellEffect) -> dict[str, Any]:
    data = {} if entry.data is None else {"data": dict(entry.data)}
    return {"id": entry.id, "operation": entry.verb.value, **data}


def random_changes(dice: random.Random, diagram: NaiveDiagram, ids: list[str]) -> Changes:
    present = [cell["id"] for cell in diagram.cells]
    return [random_change(dice, present, ids) for _ in range(dice.choice((1, 1, 1, 2, 4)))]


def random_change(dice: random.Random, present: list[str], ids: list[str]) -> dict[str, Any]:
    absent = [id for id in ids if id not in present] or ids
    match dice.choice(("node", "node", "edge", "update", "update", "update", "update", "remove")):
        case "node":
            return {"id": spelled(dice, dice.choice(absent)), "operation": "add", "data": random_node(dice, present)}
        case "edge":
            return {"id": dice.choice(absent), "operation": "add", "data": random_edge(dice, present or ids)}
        case "remove":
            return {"id": spelled(dice, dice.choice(present or ids)), "operation": "remove"}
    return {"id": spelled(dice, dice.choice(present or ids)), "operation": "update", "data": random_patch(dice, ids)}


def random_node(dice: random.Random, present: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {
        dice.choice(("shape", "type")): dice.choice(("process", "datastore", "actor", "boundary", "custom"))
    }
    data.update(dice.choice((FLAT, NESTED, FLAT | {"position": {"x": 7, "y": 7}})))
    if present and dice.random() < 0.5:
        data["parent"] = spelled(dice, dice.choice(present))
        data["children"] = dice.sample(present, min(2, len(present)))
    return data | random_style(dice)


def random_edge(dice: random.Random, ids: list[str]) -> dict[str, Any]:
    ends = [dice.choice(ids), {"id": dice.choice(ids)}, {"cell": spelled(dice, dice.choice(ids)), "port": "top"}]
    return {"shape": dice.choice(("flow", "edge")), "source": dice.choice(ends), "target": dice.choice(ends)}


def random_patch(dice: random.Random, ids: list[str]) -> dict[str, Any]:
    patch = random_style(dice)
    optional = {
        "x": dice.choice((1, 2.5, -3)),
        "size": {"width": dice.choice((50, 60.0))},
        "label": dice.choice(("A", "é😀", None)),
        "parent": dice.choice((None, dice.choice(ids))),
        "children": dice.choice((None, dice.sample(ids, 2))),
        "source": {"id": dice.choice(ids)},
        "vertices": [{"x": 1, "y": 2}],
        "free": {"b": None, "a": [1, {"c": 1e-7}]},
    }
    for key in dice.sample(sorted(optional), dice.choice((0, 1, 1, 2))):
        patch[key] = optional[key]
    return patch


def random_style(dice: random.Random) -> dict[str, Any]:
    styles = {
        "attrs": dice.choice((None, {}, {"body": {"fill": "red", "gone": None}}, {"body": {"list": [1, None]}})),
        "attrs/body/fill": dice.choice(("blue", None, {"kind": "gradient", "none": None})),
        "attrs/body": dice.choice((None, {"fill": {"kind": 1}})),
        "attrs/line/stroke/width": dice.choice((1, 1.5, None)),
        "data": {"key": dice.choice((1, None, "x"))},
        "data/deep/er": dice.choice((0, None)),
    }
    return {key: styles[key] for key in dice.sample(sorted(styles), dice.choice((0, 1, 1, 2)))}


def spelled(dice: random.Random, id: str) -> str:
    return dice.choice((id, id, id.upper()))


FLAT = {"x": 1, "y": 2, "width": 80, "height": 60}
NESTED = {"position": {"x": 3, "y": 4}, "size": {"width": 90, "height": 70}}
