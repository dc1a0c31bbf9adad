"""Servers with and without a bug, for all tests of the kit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.codraw.conform.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nest = Nursery()
    yield nest
    nest.close()
