"""GET …/diagrams/{id}/image: the diagram as it stands, as SVG or PNG (RE60-RE62)."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote

from starlette.responses import Response

from protocol.values import Cell, Role
from rest import rights
from rest.calls import Call
from rest.dependencies import RestDependencies
from rest.image.asked import MEDIA, Asked, Format, asked
from rest.image.drawing import drawing
from rest.image.pictures import AT_ONCE, Pictures
from rest.image.rasterising import NotDrawn, rasterised
from rest.paging import word
from rest.preconditions import if_none_match
from rest.problems import Problem, not_found

EDITION = 3
"""Raised whenever the same cells are drawn differently: nobody is then shown an old picture for a new one."""
PAUSE_S = 0.0005
"""Between two pieces. While 10 000 cells are drawn, the event loop is late by 2.5 ms then (median), else by 7.6."""
TEXT_SIZE, LEGIBLE = 14, 3
"""Pixels below which a PNG has no text: a diagram of 10 000 cells takes 10.9 s with its labels and 3.7 without."""
_pools: Mapping[Format, ThreadPoolExecutor] = {kind: ThreadPoolExecutor(AT_ONCE, f"pictures-{kind}") for kind in MEDIA}
"""Their own: large bodies of REST do not wait for pictures, nor an SVG, which is soon there, for PNGs."""
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_NAME = 80


class Images:
    def __init__(self, deps: RestDependencies) -> None:
        self.deps = deps
        self._pictures: Mapping[Format, Pictures] = {"svg": Pictures(), "png": Pictures()}

    async def read(self, call: Call) -> Response:
        id = call.diagram_id
        await rights.on_diagram(self.deps, call, call.threat_model_id, id, Role.READER)
        wanted = asked(call.request)
        download = word(call.request.query_params, "download", {"true": True, "false": False})
        row = await self.deps.models.diagram(id)
        if row is None:
            raise not_found()
        seen = if_none_match(call.request)
        if seen is not None and (seen.anything or (row.vector, _digest(row.epoch, wanted)) in seen.tags):
            return Response(status_code=304, headers=_headers(row.epoch, row.vector, wanted))
        epoch, vector = row.epoch, row.vector
        pictures = self._pictures[wanted.format]
        picture = pictures.kept((id, epoch, vector, wanted))
        if picture is None:
            viewed = await self.deps.rooms.view(id)
            if viewed is None:
                raise not_found()
            epoch, vector = viewed.epoch, viewed.vector
            picture = await pictures.drawn((id, epoch, vector, wanted), partial(_made, viewed.cells, wanted))
        headers = _headers(epoch, vector, wanted)
        if download:
            headers["Content-Disposition"] = disposition(str(row.fields.get("name", "")), wanted.format)
        return Response(picture, headers=headers, media_type=MEDIA[wanted.format])


async def _made(cells: Sequence[Cell], wanted: Asked) -> bytes:
    svg = await asyncio.get_running_loop().run_in_executor(_pools[wanted.format], _document, cells, wanted)
    if wanted.format == "svg":
        return svg.encode()
    try:
        return await rasterised(svg)
    except NotDrawn:
        raise Problem(
            503,
            "unavailable",
            "The picture could not be drawn in time; try a smaller one.",
            headers={"Retry-After": "5"},
        ) from None


def _document(cells: Sequence[Cell], wanted: Asked) -> str:
    picture = drawing(cells, wanted.style, partial(time.sleep, PAUSE_S), wanted.size)
    width, height = wanted.size(picture.frame)
    if wanted.format == "png" and TEXT_SIZE * width / picture.frame.width < LEGIBLE:
        picture = picture.without_words()
    return picture.document(width, height)


def _headers(epoch: str, vector: int, wanted: Asked) -> dict[str, str]:
    return {
        "ETag": f'"{vector}-{_digest(epoch, wanted)}"',
        # A browser keeps it, and asks every time whether it is still the one: rights may have gone.
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization, Cookie",
    }


def _digest(epoch: str, wanted: Asked) -> str:
    """What the picture depends on beside the vector."""
    return hashlib.sha256(f"{EDITION} {epoch} {wanted}".encode()).hexdigest()[:16]


def disposition(name: str, format: Format) -> str:
    """RFC 6266: a name of plain letters for everybody, the name itself for who reads RFC 8187."""
    name = "".join(character for character in name if character.isprintable() and character not in '/\\:*?"<>|')
    name = name.strip(" .")[:LONGEST_NAME] or "diagram"
    plain = UNSAFE.sub("-", name).strip("-.") or "diagram"
    return f"attachment; filename=\"{plain}.{format}\"; filename*=UTF-8''{quote(f'{name}.{format}', safe='')}"
