"""A loop that no longer turns is noticed by ticks of its own, and a process that was only stopped is not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from codraw.watchdog import STUCK, Watchdog
from tests.support.tree import ROOT


@pytest.fixture
def stuck() -> threading.Event:
    return threading.Event()


def test_ticks_without_a_turn_are_counted(stuck: threading.Event) -> None:
    watchdog = Watchdog(ticks=3, stuck=stuck.set)
    for _ in range(3):  # the first finds that the loop has just begun
        watchdog.tick()
    assert not stuck.is_set()
    watchdog.tick()
    assert stuck.is_set()


async def test_a_loop_that_turns_is_left_alone(stuck: threading.Event) -> None:
    watchdog = Watchdog(tick_s=0.001, ticks=2_000, stuck=stuck.set)
    task = asyncio.get_running_loop().create_task(watchdog.run())
    for _ in range(20):
        await asyncio.sleep(0.001)
        watchdog.tick()
    task.cancel()
    assert not stuck.is_set()


async def test_a_loop_that_is_held_up_is_noticed(stuck: threading.Event) -> None:
    task = asyncio.get_running_loop().create_task(Watchdog(tick_s=0.001, ticks=5, stuck=stuck.set).run())
    await asyncio.sleep(0)
    assert stuck.wait(20)
    task.cancel()


def test_the_process_ends_and_says_where_it_stood() -> None:
    script = """
import threading
from codraw.watchdog import Watchdog

def held_up_here():
    threading.Thread(target=ticks).start()  # not before: the process would end somewhere else
    threading.Event().wait(60)

def ticks():
    watchdog = Watchdog(ticks=1)
    watchdog.tick()
    watchdog.tick()

held_up_here()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == STUCK and "held_up_here" in done.stderr
