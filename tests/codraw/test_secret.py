"""A development server makes its secret once; production never gets one made."""

from __future__ import annotations

import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codraw.secret import read_or_make, secret_path, with_secret
from codraw.settings import Settings

pytestmark = pytest.mark.usefixtures("no_settings")

GIVEN = "n0t-a-default:9f2c41d7e8b35a60c1d2"


def test_it_is_made_once(tmp_path: Path) -> None:
    assert read_or_make(tmp_path / "s") == read_or_make(tmp_path / "s")


def test_it_is_long_enough(tmp_path: Path) -> None:
    assert len(read_or_make(tmp_path / "s")) >= 32


def test_two_servers_have_two(tmp_path: Path) -> None:
    assert read_or_make(tmp_path / "a" / "s") != read_or_make(tmp_path / "b" / "s")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    read_or_make(tmp_path / "s")
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


def test_of_many_at_once_all_get_the_same_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(read_or_make, [tmp_path / "s"] * 64))
    assert len(found) == 1 and [path.name for path in tmp_path.iterdir()] == ["s"]


def test_it_lies_beside_the_store() -> None:
    assert secret_path(Settings(store_url="sqlite:////srv/data/codraw.db")) == Path("/srv/data/codraw.secret")


def test_a_development_server_gets_one() -> None:
    assert with_secret(Settings(mode="development")).secret_key is not None


def test_a_given_one_is_kept(tmp_path: Path) -> None:
    settings = Settings(mode="development", secret_key=GIVEN)
    assert with_secret(settings) is settings


def test_production_gets_none() -> None:
    assert with_secret(Settings()).secret_key is None
