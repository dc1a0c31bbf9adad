"""Every number is described, and every description is a number."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from codraw.app import App
from codraw.metrics import FAMILIES
from codraw.settings import Settings
from tests.support.tree import ROOT

GUIDE = ROOT / "docs" / "metrics.md"


async def test_a_waiting_server_tells_that_it_is_not_ready(tmp_path: Path) -> None:
    rows = App(Settings(mode="development", store_url=f"sqlite:///{tmp_path}/x.db")).metrics()
    assert ("codraw_ready", (), 0.0) in rows
    known = {family.name: len(family.labels) for family in FAMILIES}
    assert all(known[name] == len(labels) for name, labels, _ in rows)


def test_the_guide_lists_every_metric_with_its_labels() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", GUIDE.read_text("utf-8"), re.MULTILINE))
    shown = {family.name + "_total" * (family.kind == "counter"): family.labels for family in FAMILIES}
    shown["codraw_worker_up"] = ()
    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in listed.items()} == {
        name: tuple(labels) for name, labels in shown.items()
    }


def test_alerts_speak_of_metrics_that_there_are() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "codraw-alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    named = {name for rule in rules for name in re.findall(r"codraw_\w+", rule["expr"])}
    known = {family.name + "_total" * (family.kind == "counter") for family in FAMILIES} | {"codraw_worker_up"}
    assert {name.removesuffix("_bucket") for name in named} <= known
    assert len(named) > 5
