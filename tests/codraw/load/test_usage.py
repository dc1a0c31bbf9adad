from __future__ import annotations

import os
import sys
import time

import pytest

from codraw.load.usage import Watch, use

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
NOBODY = 2**22 + 1
"""No process has such an id: it is above the kernel's limit."""


def test_a_process_is_seen() -> None:
    found = use(os.getpid())
    assert found is not None
    assert found.memory_mib > 1 and found.threads >= 1 and found.files >= 3


def test_nobody_is_not() -> None:
    assert use(NOBODY) is None
    assert Watch(NOBODY).look() == (0.0, 0.0)


def test_work_shows_in_the_share() -> None:
    watch = Watch(os.getpid())
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    share, memory = watch.look()
    assert share > 0 and memory > 1 and watch.most_mib >= memory
