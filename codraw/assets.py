"""Where the files are that codraw serves but no package holds: `web/`, the two contracts, SPEC.md."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def asset(name: str, package: Path = PACKAGE) -> Path | None:
    """The file or folder `name` (`web`, `openapi.yml`), or None when this codraw was built without it.

    A wheel carries them in `codraw/_data`; a checkout has them beside the package.
    """
    root = package / "_data"
    if not root.is_dir():
        root = package.parent
        # Beside an installed package lie other people's packages, and one may be called `web`.
        if not (root / "pyproject.toml").is_file():
            return None
    found = (root / name).resolve()
    inside = found.is_relative_to(root.resolve())
    return found if inside and found.exists() else None
