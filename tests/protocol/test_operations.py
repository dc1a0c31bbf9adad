"""How a key path is written."""

from __future__ import annotations

from protocol.operations import dotted


def test_a_key_path_is_spelled_with_slashes() -> None:
    assert dotted(("attrs", "body", "fill")) == "attrs/body/fill"
