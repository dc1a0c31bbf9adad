"""A burst of large blocks leaves no memory behind."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from codraw.heap import LARGE

SIZE, BLOCKS = 4 * LARGE, 12
SMALL = 4_096
BURST = f"""
import os, sys
from codraw.heap import give_back_large_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "steady":
    give_back_large_blocks()
b"".join([bytes({SIZE})])  # the first that is freed
before, kept = resident(), []
for _ in range({BLOCKS}):
    large = b"x" * {SIZE}
    kept.append(b"y" * {SMALL})  # behind the large one, where that was taken from the heap
    large = None
    kept.append(b"z" * ({SIZE} // {BLOCKS}))
print(resident() - before - sum(map(len, kept)))
"""


def left_behind(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", BURST, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_large_blocks_took_is_given_back() -> None:
    assert left_behind("steady") < SIZE / 2
    assert left_behind("as ever") > SIZE / 2
