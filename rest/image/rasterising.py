"""SVG to PNG in a process beside the server, which is killed when it takes too long or nobody waits any more."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

PROGRAM = Path(__file__).with_name("raster.py")
PATIENCE_S = 60.0
OUR_SETTINGS = "CODRAW_"
"""How their names begin; the process needs none of them, secrets least."""


class NotDrawn(Exception):
    """The renderer failed or took too long."""


async def rasterised(svg: str, patience_s: float = PATIENCE_S) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OUR_SETTINGS)}
    process = await asyncio.create_subprocess_exec(
        # -P: a module beside the program must not be taken for a library.
        *(sys.executable, "-P", str(PROGRAM)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=environment,
    )
    try:
        async with asyncio.timeout(patience_s):
            made, _ = await process.communicate(svg.encode())
    except TimeoutError:
        raise NotDrawn from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise NotDrawn
    return made
