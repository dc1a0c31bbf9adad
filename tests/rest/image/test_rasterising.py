"""PNG by a process beside the server."""

from __future__ import annotations

import pytest

from rest.image.rasterising import NotDrawn, rasterised

SHEET = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"><text y="20">Ab</text></svg>'


async def test_svg_becomes_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_SECRET", "not told")
    assert (await rasterised(SHEET)).startswith(b"\x89PNG\r\n\x1a\n")


async def test_what_is_no_svg_is_not_drawn() -> None:
    with pytest.raises(NotDrawn):
        await rasterised("<svg")


async def test_who_takes_too_long_is_not_waited_for() -> None:
    with pytest.raises(NotDrawn):
        await rasterised(SHEET, patience_s=0)
