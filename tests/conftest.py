"""What every test may rely on: its needs are met, or it is skipped loudly, or, where required, it fails."""

from __future__ import annotations

import gc
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# before anything imports them
pytest.register_assert_rewrite("tests.contracts")

from tests.support.needs import NEEDS, need, required  # noqa: E402
from tests.support.stores import (  # noqa: E402
    memory,
    postgres_server,
    postgres_template,
    postgres_url,
    redis_server,
    redis_url,
    stores_folder,
)

__all__ = ["postgres_server", "postgres_template", "postgres_url", "redis_server", "redis_url", "stores_folder"]

# A change is judged by the same examples as the one before it; at a desk and in campaigns every run draws new ones.
# How long a draw takes says how busy the machine is.
UNHURRIED = [HealthCheck.too_slow]
settings.register_profile("drawn", suppress_health_check=UNHURRIED)
settings.register_profile("repeatable", suppress_health_check=UNHURRIED, derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "drawn")

COLLECTOR = (5_000, 20, 100)
"""Thresholds of the collector of cycles: with the usual ones it took a tenth of a test process."""


def pytest_configure(config: pytest.Config) -> None:
    if (folder := memory()) is not None:
        # read when the first test asks for a folder; what passes leaves nothing there (tmp_path_retention_policy)
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))
    unknown = required() - NEEDS.keys()
    if unknown:
        raise pytest.UsageError(f"CODRAW_REQUIRE names {', '.join(sorted(unknown))}; known: {', '.join(NEEDS)}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take longest comes first: at the end of a run it would keep one process busy, and the others waiting."""
    items.sort(key=_may_take_s, reverse=True)


def _may_take_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: the collector of cycles need not look through them at each turn."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)  # rooms that are closed thaw them


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in NEEDS:
        if item.get_closest_marker(f"needs_{name}"):
            need(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    if not skipped:
        return
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    terminalreporter.section(f"NOT RUN: {len(skipped)} skipped", sep="!", yellow=True, bold=True)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:5d}  {reason}", yellow=True)


@pytest.fixture
def node() -> str:
    return need("node")


@pytest.fixture
def node_with_sockets(node: str) -> list[str]:
    """Node has had a WebSocket of its own since 22, behind a switch since 20.10."""
    for switches in ([], ["--experimental-websocket"]):
        command = [node, *switches]
        probe = subprocess.run([*command, "-p", "typeof WebSocket"], capture_output=True, text=True, check=False)
        if probe.stdout.strip() == "function":
            return command
    pytest.skip("node has no WebSocket: older than 20.10")


@pytest.fixture
def go() -> str:
    return need("go")


@pytest.fixture
def chromium() -> str:
    return need("chromium")


@pytest.fixture
def nginx() -> str:
    return need("nginx")


@pytest.fixture
def haproxy() -> str:
    return need("haproxy")


@pytest.fixture
def redis7() -> str:
    """The executable."""
    return need("redis7")


@pytest.fixture
def autobahn() -> str:
    """The Python 2.7 that runs the Autobahn test suite."""
    return need("autobahn")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working folder and no CODRAW_* variable: what the developer has set must not reach the test."""
    for name in list(os.environ):
        if name.upper().startswith("CODRAW_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
