"""The project's own source files, as the shape tests see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocol", "collab", "rest", "storage", "codraw")
PASSED_OVER = {"__pycache__", "node_modules", "vendor", "_data"}


def files(*folders: str, suffixes: tuple[str, ...] = (".py",), root: Path = ROOT) -> Iterator[Path]:
    """Paths relative to the root, in order."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and path.suffix in suffixes and not PASSED_OVER.intersection(inside.parts):
                yield inside


def sources(*folders: str, suffixes: tuple[str, ...] = (".py",), root: Path = ROOT) -> dict[str, str]:
    """Path with forward slashes -> text."""
    return {path.as_posix(): (root / path).read_text("utf-8") for path in files(*folders, suffixes=suffixes, root=root)}


def lines(found: Iterable[str]) -> str:
    """The message of a failed shape test: every fault on a line of its own, none left out."""
    return "\n" + "\n".join(found)
