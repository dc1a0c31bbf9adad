"""The SessionStore in memory."""

from __future__ import annotations

import pytest

from tests.contracts.session_store import SessionStoreContract
from tests.contracts.worlds import MemoryWorld


class TestMemorySessions(SessionStoreContract):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()
