"""An operating system's lock on a file, held until it is closed or the process dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class FileTaken(Exception):
    """Another process, or another store of this one, holds the lock."""


class FileLock:
    """Taken when made. The file stays: removing it would let two holders in, each with a file of that name."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _take(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise FileTaken(str(path)) from None

    def release(self) -> None:
        os.close(self._descriptor)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        # flock, not a POSIX record lock: that one would be lost when anybody in this process closes the file
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
