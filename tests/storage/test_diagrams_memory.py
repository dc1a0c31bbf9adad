"""The DiagramStore in memory."""

from __future__ import annotations

import pytest

from tests.contracts.diagram_store import DiagramStoreContract
from tests.contracts.worlds import MemoryWorld


class TestMemoryDiagrams(DiagramStoreContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()
