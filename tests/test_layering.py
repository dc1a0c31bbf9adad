"""Who may import whom: the table of arrows as data, held against every import of the project.

The longest prefix wins. Changing the table changes the architecture: it takes a decision record under docs/adr.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.support.tree import PACKAGES, lines, sources

ANY = ("*",)
DRIVERS = ("sqlite3", "asyncpg", "redis")
PURE = ("asyncio", "time", "random", "datetime", "uuid", "os", "socket", "logging", *DRIVERS)
WEB = ("starlette", "uvicorn")


@dataclass(frozen=True)
class Arrows:
    """`ours` and `third_party` are all that may be imported beside the standard library; `never` binds that too."""

    ours: tuple[str, ...] = ()
    third_party: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    never_named: tuple[str, ...] = ()


SETTINGS = ("protocol.values", "collab.ports")

LOCKS = ("Lock", "RLock")

TABLE: Mapping[str, Arrows] = {
    "protocol": Arrows(("protocol",), ("msgspec", "msgpack"), PURE),
    "collab.core": Arrows(
        ("protocol", "collab.core"), ("immutables", "msgspec", "rpds"), (*PURE, "secrets", "threading"), LOCKS
    ),
    # Ports carry values as the core does, and for the same reason they are msgspec Structs.
    "collab.ports": Arrows(("protocol", "collab.core", "collab.ports"), ("msgspec",), ("asyncio", *DRIVERS), LOCKS),
    "collab.access": Arrows(("protocol", "collab.ports", "collab.access"), ("jwt",), DRIVERS, LOCKS),
    "collab": Arrows(("protocol", "collab"), ("msgspec",), DRIVERS, LOCKS),
    "rest.ports": Arrows(("protocol", "collab.ports", "rest.ports"), ("msgspec",), ("asyncio", *DRIVERS)),
    "rest": Arrows(
        ("protocol", "collab.ports", "collab.rooms", "collab.access", "rest"),
        ("starlette", "pydantic", "authlib", "joserfc", "jsonpatch", "httpx2", "standardwebhooks", "offapi"),
        DRIVERS,
    ),
    # A program of its own: nothing of ours is loaded there.
    "rest.image.raster": Arrows((), ("fontpkg", "resvg_py"), DRIVERS),
    "rest.webhooks.ports": Arrows(
        ("protocol", "collab.ports", "rest.ports", "rest.webhooks.ports"), ("msgspec",), ("asyncio", *DRIVERS)
    ),
    "storage": Arrows(
        ("protocol", "collab.ports", "rest.ports", "rest.webhooks.ports", "collab.core", "storage"),
        ("asyncpg", "redis", "msgspec"),
        WEB,
    ),
    "codraw.fastws": Arrows(("codraw.reading", "codraw.untaken", "codraw.waits"), ("uvicorn", "websockets")),
    "codraw.reading": Arrows((), ("uvicorn", "websockets")),
    "codraw.http_heads": Arrows(("codraw.untaken",), ("uvicorn",)),
    "codraw.untaken": Arrows(),
    "codraw.waits": Arrows((), ()),
    # A replica judges and merges cells by the code that does it on the server, which is pure; the server stays out.
    "codraw.client": Arrows(
        ("protocol", "collab.core", "collab.tasks", "codraw.client"),
        ("websockets", "httpx2", "msgspec"),
        DRIVERS,
        LOCKS,
    ),
    # From outside: it knows the wire and the addresses, as any client does.
    "codraw.conform": Arrows(
        ("codraw.conform", "codraw.assets"), ("websockets", "httpx2", "msgpack", "rfc8785", "rich"), DRIVERS
    ),
    # From outside, too; the replay of a log is the client's, and reads its messages.
    "codraw.load": Arrows(
        ("codraw.client", "codraw.load", "collab.tasks", "protocol.codec", "protocol.dialects.codraw_v1_messages"),
        ("rich", "hdrh", "matplotlib", "msgspec", "uvloop"),
        DRIVERS,
        LOCKS,
    ),
    "codraw.oidc": Arrows((), ("pydantic",), DRIVERS),
    "codraw.settings": Arrows((*SETTINGS, "codraw.oidc"), ("pydantic", "pydantic_settings", "dotenv"), DRIVERS),
    "codraw.secret": Arrows(("codraw.settings",), ("pydantic",), DRIVERS),
    "codraw.signing": Arrows(("codraw.settings", "collab.access"), ("cryptography", "pydantic"), DRIVERS),
    "codraw.sealing": Arrows((), ("cryptography",), DRIVERS),
    "codraw.logs": Arrows(SETTINGS, ("structlog",), DRIVERS),
    "codraw.access_log": Arrows(("collab.tally",), ("structlog", "starlette"), DRIVERS),
    "codraw.exposition": Arrows(("codraw.metrics",), ("prometheus_client",), DRIVERS),
    "codraw.telemetry": Arrows(SETTINGS, ("opentelemetry",), DRIVERS),
    "codraw.assets": Arrows(),
    "codraw.clock": Arrows(("protocol.values",)),
    "codraw.watchdog": Arrows(),
    "codraw.local_stores": Arrows((), ("psutil",), DRIVERS),
    "codraw.sign_in": Arrows(("codraw.client",)),
    "codraw": Arrows(),
    **dict.fromkeys(
        (
            "codraw.app",
            "codraw.house",
            "codraw.serve",
            "codraw.stores",
            "codraw.health",
            "codraw.metrics",
            "codraw.roll",
            "codraw.inspection",
            "codraw.waiting",
            "codraw.deliveries",
            "codraw.webhooks",
            "codraw.supervisor",
            "codraw.worker",
            "codraw.cli",
            "codraw.check",
            "codraw.cluster",
            "codraw.verify",
            "codraw.__main__",
        ),
        Arrows(ANY, ANY),
    ),
}


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return prefixes == ANY or any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def arrows_of(module: str) -> Arrows:
    return TABLE[max((prefix for prefix in TABLE if within(module, (prefix,))), key=len)]


def imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; `from a import b` is `a.b`, since `b` may be a module."""
    package = module_name(path).split(".")
    if not path.endswith("__init__.py"):
        package.pop()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whence = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{whence}.{alias.name}") for alias in node.names)


def fault(module: str, name: str) -> str | None:
    top = name.partition(".")[0]
    arrows = arrows_of(module)
    if top == "__future__":
        return None
    if within(name, arrows.never):
        return "is never imported here"
    if top in PACKAGES:
        return None if within(name, arrows.ours) else "points the wrong way"
    if top in sys.stdlib_module_names:
        return None
    return None if within(name, arrows.third_party) else "is a library this part does without"


def named(path: str, text: str) -> Iterator[tuple[int, str]]:
    words = arrows_of(module_name(path)).never_named
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in words:
            yield token.start[0], token.string


def violations(texts: Mapping[str, str]) -> list[str]:
    found = []
    for path, text in texts.items():
        for line, name in imports(path, ast.parse(text, path)):
            if reason := fault(module_name(path), name):
                found.append(f"{path}:{line}: {name} {reason}")
        found += [f"{path}:{line}: the word {word} is not used here" for line, word in named(path, text)]
    return found


def test_every_import_follows_the_arrows() -> None:
    found = violations(sources(*PACKAGES))
    assert not found, lines(found)


@pytest.mark.parametrize(
    ("path", "text", "word"),
    [
        ("collab/core/apply.py", "import time", "time"),
        ("collab/core/apply.py", "from os import path", "os.path"),
        ("collab/core/apply.py", "import collab.rooms", "collab.rooms"),
        ("collab/core/apply.py", "from ..rooms import Rooms", "collab.rooms.Rooms"),
        ("protocol/codec.py", "def f():\n    import asyncio", "protocol/codec.py:2"),
        ("protocol/codec.py", "import rest.problems", "rest.problems"),
        ("collab/rooms.py", "from asyncio import Lock", "the word Lock"),
        ("collab/rooms.py", "import starlette", "starlette"),
        ("collab/handshake.py", "import jwt", "jwt"),
        ("rest/models.py", "from collab import core", "collab.core"),
        ("rest/models.py", "import storage", "storage"),
        ("rest/models.py", "import sqlite3", "sqlite3"),
        ("storage/sqlite.py", "from starlette import routing", "starlette.routing"),
        ("codraw/client/bot.py", "import storage", "storage"),
        ("codraw/conform/operations.py", "import protocol.cells", "protocol.cells"),
        ("codraw/somewhere.py", "import rest", "rest"),
    ],
)
def test_a_wrong_import_is_named_with_file_and_line(path: str, text: str, word: str) -> None:
    (found,) = violations({path: text})
    assert found.startswith(f"{path}:") and word in found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("collab/core/apply.py", "from . import merge\nimport immutables"),
        ("collab/access/tokens.py", "import jwt"),
        ("rest/sessions.py", "from collab.rooms import Rooms"),
        ("codraw/app.py", "import storage, asyncpg"),
        ("collab/rooms.py", '"No Lock here."\nunlock = 1'),
    ],
)
def test_a_right_import_passes(path: str, text: str) -> None:
    assert violations({path: text}) == []
