"""Adds what an installed codraw serves, and which does not live in a package, to the wheel."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = ("asyncapi.yml", "openapi.yml", "SPEC.md")
NOT_SERVED = {"tests", "node_modules", "package.json", "package-lock.json", "build.js"}
"""As `rest/pages.py` has them."""


def data_files(root: Path) -> dict[str, str]:
    """Path in the tree -> path in the wheel, for everything that exists now."""
    found = {str(root / name): f"codraw/_data/{name}" for name in FILES if (root / name).is_file()}
    for file in sorted((root / "web").rglob("*")):
        inside = file.relative_to(root)
        hidden = any(part.startswith(".") or part in NOT_SERVED for part in inside.parts)
        if file.is_file() and not hidden:
            found[str(file)] = f"codraw/_data/{inside.as_posix()}"
    return found


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update(data_files(Path(self.root)))
