"""The lock on a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.filelock import FileLock, FileTaken


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    with pytest.raises(FileTaken):
        FileLock(tmp_path / "x.lock")
    lock.release()
    FileLock(tmp_path / "x.lock").release()


def test_reading_the_file_does_not_lose_the_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    (tmp_path / "x.lock").read_bytes()
    with pytest.raises(FileTaken):
        FileLock(tmp_path / "x.lock")
    lock.release()


def test_a_file_that_cannot_be_made_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "no such folder" / "x.lock")
