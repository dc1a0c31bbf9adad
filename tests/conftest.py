"""What every test may rely on: its needs are met, or it is skipped loudly, or, where required, it fails."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.needs import NEEDS, need, required
from tests.support.stores import (
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
settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    if (folder := memory()) is not None:
        # read when the first test asks for a folder; what passes leaves nothing there (tmp_path_retention_policy)
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))
    unknown = required() - NEEDS.keys()
    if unknown:
        raise pytest.UsageError(f"CODRAW_REQUIRE names {', '.join(sorted(unknown))}; known: {', '.join(NEEDS)}")


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
