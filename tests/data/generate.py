"""A seeded generator of data-flow diagrams shaped like real ones: tiers of domains, boundaries, stores, labelled flows.

`python -m tests.data.generate 100 > tests/data/dfd-100.json` writes the one that is kept in the repository.
"""

from __future__ import annotations

import json
import random
import sys
import uuid
from typing import Any

Cell = dict[str, Any]

DOMAINS = ("Identity", "Payments", "Catalogue", "Search", "Orders", "Shipping", "Billing", "Messaging", "Reporting")
SERVICES = ("API", "Worker", "Scheduler", "Validator", "Importer", "Exporter", "Notifier", "Cache Loader")
STORES = ("PostgreSQL", "Redis", "Object Store", "Queue", "Search Index", "Audit Log")
ACTORS = ("Customer", "Support Agent", "Administrator", "Partner System", "Auditor", "Mobile User")
FLOWS = ("HTTPS / JSON", "SQL over TLS", "gRPC", "publish event", "consume event", "OIDC redirect", "Überweisung")
COLOURS = ("#ffffff", "#fff3cd", "#d1e7dd", "#cfe2ff", "#f8d7da")
SIDES = ("top", "right", "bottom", "left")
DOMAIN_WIDTH, DOMAIN_HEIGHT, GAP = 640, 520, 80


def diagram(size: int, seed: int = 1) -> list[Cell]:
    """Exactly `size` cells (100 or more), the same ones for the same seed, with more flows than nodes."""
    sketch = _Sketch(random.Random(seed))
    actors = [sketch.actor(number) for number in range(max(2, size // 100))]
    column = 0
    gateways: list[Cell] = []
    while len(sketch.cells) < size * 0.7:
        gateways.append(sketch.domain(column))
        column += 1
    for gateway in gateways:
        sketch.flow(sketch.random.choice(actors), gateway)
    while len(sketch.cells) < size:
        source, target = sketch.random.sample(sketch.ends, 2)
        sketch.flow(source, target)
    return sketch.cells


class _Sketch:
    def __init__(self, random_: random.Random) -> None:
        self.random = random_
        self.cells: list[Cell] = []
        self.ends: list[Cell] = []

    def domain(self, column: int) -> Cell:
        """A boundary with a gateway, services, and the stores in a boundary of their own; returns the gateway."""
        name = f"{DOMAINS[column % len(DOMAINS)]} {column // len(DOMAINS) + 1}"
        left, top = (column % 8) * (DOMAIN_WIDTH + GAP), (column // 8 + 1) * (DOMAIN_HEIGHT + GAP)
        domain = self.node("security-boundary", name, left, top, DOMAIN_WIDTH, DOMAIN_HEIGHT)
        tier = self.node("security-boundary", f"{name} data", left + 20, top + 360, 600, 140, domain)
        gateway = self.node("process", f"{name} Gateway", left + 260, top + 40, 120, 80, domain)
        services = [
            self.node("process", f"{name} {kind}", left + 20 + 150 * place, top + 200, 120.5, 80, domain)
            for place, kind in enumerate(self.random.sample(SERVICES, self.random.randint(2, 4)))
        ]
        stores = [
            self.node("store", kind, left + 40 + 150 * place, top + 390, 120, 70.25, tier)
            for place, kind in enumerate(self.random.sample(STORES, self.random.randint(1, 3)))
        ]
        if self.random.random() < 0.3:
            self.node(
                "text-box", f"{name}: owned by team {column + 1}\nsee runbook", left + 20, top + 20, 180, 40, domain
            )
        for service in services:
            self.flow(gateway, service)
            self.flow(service, self.random.choice(stores))
        self.ends += [gateway, *services, *stores]
        return gateway

    def actor(self, number: int) -> Cell:
        actor = self.node("actor", ACTORS[number % len(ACTORS)], 200 * number, 0, 100, 60)
        self.ends.append(actor)
        return actor

    def node(
        self, shape: str, label: str, x: float, y: float, width: float, height: float, parent: Cell | None = None
    ) -> Cell:
        cell: Cell = {"id": self.id(), "shape": shape, "x": x, "y": y, "width": width, "height": height}
        cell |= {"label": label, "zIndex": -1 if shape == "security-boundary" else len(self.cells) + 1}
        cell["attrs"] = {
            "body": {"fill": self.random.choice(COLOURS), "stroke": "#333333", "strokeWidth": 2, "fillOpacity": 0.85},
            "text": {"text": label, "fontSize": 12, "fontFamily": "sans-serif"},
        }
        if shape in ("actor", "process", "store"):
            cell["ports"] = {"items": [{"id": side, "group": side} for side in SIDES]}
            cell["data"] = {"_metadata": [{"key": "sensitivity", "value": self.random.choice(("low", "high"))}]}
        if parent is not None:
            cell["parent"] = parent["id"]
            parent.setdefault("children", []).append(cell["id"])
        self.cells.append(cell)
        return cell

    def flow(self, source: Cell, target: Cell) -> None:
        label = self.random.choice(FLOWS)
        cell: Cell = {
            "id": self.id(),
            "shape": "flow",
            "source": {"cell": source["id"], "port": self.random.choice(SIDES)},
            "target": {"cell": target["id"], "port": self.random.choice(SIDES)},
            "labels": [{"attrs": {"text": {"text": label}}, "position": round(self.random.uniform(0.3, 0.7), 3)}],
            "attrs": {
                "line": {"stroke": "#555555", "strokeWidth": 1.5, "targetMarker": {"name": "classic", "size": 8}}
            },
            "zIndex": 0,
        }
        if self.random.random() < 0.4:
            middle = (source["x"] + target["x"]) / 2, (source["y"] + target["y"]) / 2
            cell["vertices"] = [{"x": round(middle[0]), "y": round(middle[1] + self.random.uniform(-40, 40), 2)}]
        self.cells.append(cell)

    def id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


if __name__ == "__main__":
    lines = (json.dumps(cell, ensure_ascii=False) for cell in diagram(int(sys.argv[1])))
    print("[\n" + ",\n".join(lines) + "\n]")
