"""A script that nobody asserted has tested nothing: it is reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import script


@pytest.fixture(autouse=True)
def every_script_is_asserted() -> Iterator[None]:
    yield
    left, script.unasserted[:] = len(script.unasserted), []
    if left:
        pytest.fail(f"{left} script(s) without an `assert` in front")
