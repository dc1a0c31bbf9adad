"""The secret a development server makes for itself, once, and keeps."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from pydantic import SecretStr

from codraw.settings import Settings, SettingsRefused

NAME = "codraw.secret"


def secret_path(settings: Settings) -> Path:
    """Beside the SQLite file, so that a store and the tokens issued for it move together; else in this folder."""
    store = settings.sqlite_path
    return (store.parent if store else Path()) / NAME


def with_secret(settings: Settings) -> Settings:
    """In development a missing secret is read from `codraw.secret`, or made there; otherwise nothing changes.

    Raises SettingsRefused.
    """
    if settings.secret_key is not None or not settings.development:
        return settings
    path = secret_path(settings)
    try:
        secret = read_or_make(path)
    except OSError as error:
        raise SettingsRefused([f"The secret cannot be kept in {path} ({error.strerror})."]) from None
    return settings.model_copy(update={"secret_key": SecretStr(secret)})


def read_or_make(path: Path) -> str:
    """Of several processes that start at once one makes the secret, and all return that one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _publish(path, secrets.token_urlsafe(48))
    return path.read_text("ascii").strip()


def _publish(path: Path, secret: str) -> None:
    # Written aside and linked: nobody reads half a secret, and of two links one fails. mkstemp gives mode 0600.
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{NAME}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secret + "\n")
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(aside)
