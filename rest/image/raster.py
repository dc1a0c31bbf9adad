"""A program: SVG on stdin becomes PNG on stdout. A process of its own, because the renderer keeps the interpreter to
itself for as long as it works (seconds for 10 000 cells), and because what breaks there breaks nothing else.

It is started by its path and imports nothing of ours. It opens fonts, and nothing that the SVG names.
"""

from __future__ import annotations

import os
import re
import signal
import sys

import fontpkg
import resvg_py

FAMILY = "Roboto"
FOREIGN = re.compile("[\u0530-\u1dff\u2c00-\U0010ffff]")
"""What the font lacks, other scripts and pictures, is drawn as far as this machine has fonts; looking takes a while."""
FOREIGN_ELEMENT = re.compile(r"<(?!/?(?:svg|g|rect|ellipse|path|text|tspan)[\s/>])")
"""Not of our drawing, where none of anybody's text has a "<". The renderer would open the files that an image names."""
MEMORY_BYTES = 4 << 30
CPU_SECONDS = 50


def png(svg: str) -> bytes:
    """Raises ValueError where there is something beside plain shapes and text."""
    if FOREIGN_ELEMENT.search(svg):
        raise ValueError("an element that is not drawn")
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        skip_system_fonts=FOREIGN.search(svg) is None,
        font_files=[str(fontpkg.path(FAMILY))],
        font_family=FAMILY,
        sans_serif_family=FAMILY,
    )


def be_modest() -> None:
    """Everybody else goes first; and there is an end to it."""
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - other systems have none

    os.nice(10)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    # macOS knows the limit and refuses to set it.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def main() -> None:
    be_modest()
    sys.stdout.buffer.write(png(sys.stdin.buffer.read().decode()))


if __name__ == "__main__":
    main()
