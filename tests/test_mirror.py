"""Every `x/y.py` that does something has `tests/x/test_y.py`, and no test file outlives its module."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from tests.support.tree import PACKAGES, lines, sources

ELSEWHERE: Mapping[str, str] = {
    "collab/ports.py": "Protocols; tests/contracts holds their rules",
    "rest/ports.py": "Protocols; tests/contracts holds their rules",
    **dict.fromkeys(
        (f"storage/{name}.py" for name in ("diagram_rows", "entries", "items", "rights", "tables", "threat_models")),
        "parts of SqlModels; tests/contracts/models.py",
    ),
    **dict.fromkeys(
        ("storage/memory.py", "storage/session_rules.py"),
        "parts of both stores' adapters; tests/contracts/diagram_store.py and session_store.py",
    ),
    **dict.fromkeys(
        (f"codraw/conform/{name}.py" for name in ("hostile", "identity", "operations", "order", "presence", "rest")),
        "checks of the kit; tests/codraw/conform/test_suite.py plants the bugs that they must find",
    ),
    **dict.fromkeys(
        (f"codraw/conform/{name}.py" for name in ("inversion", "sessions", "sockets", "undo")),
        "checks of the kit; tests/codraw/conform/test_suite.py plants the bugs that they must find",
    ),
}
"""Modules without a test file of their own, and why."""


def does_something(text: str) -> bool:
    """Whether a function in it has a body: values and protocols alone do nothing that a test could see."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, functions) and not all(map(_idle, node.body)) for node in ast.walk(ast.parse(text)))


def _idle(statement: ast.stmt) -> bool:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Pass)


def mirror(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"tests/{folder}/test_{name}"


def untested(texts: Mapping[str, str], tests: Collection[str]) -> list[str]:
    return [
        f"{path} has no {mirror(path)}"
        for path, text in texts.items()
        if not path.endswith(("/__init__.py", "/__main__.py"))
        and path not in ELSEWHERE
        and not any(serves(test, path) for test in tests)
        and does_something(text)
    ]


def orphans(modules: Collection[str], tests: Collection[str]) -> list[str]:
    return [
        f"{test} tests nothing: there is no such module"
        for test in tests
        if test.startswith(tuple(f"tests/{package}/" for package in PACKAGES))
        and test.rpartition("/")[2].startswith("test_")
        and not any(serves(test, path) for path in modules)
    ]


def serves(test: str, path: str) -> bool:
    """`test_room.py` and, where that grows long, `test_room_ending.py` both belong to `room.py`."""
    stem = mirror(path).removesuffix(".py")
    if path.endswith("/__init__.py"):
        folder = path.removesuffix("/__init__.py")
        stem = mirror(folder)
    return test == f"{stem}.py" or (test.startswith(f"{stem}_") and "/" not in test.removeprefix(stem))


def test_every_module_has_its_test_file() -> None:
    found = untested(sources(*PACKAGES), sources("tests"))
    assert not found, lines(found)


def test_every_test_file_has_its_module() -> None:
    found = orphans(sources(*PACKAGES), sources("tests"))
    assert not found, lines(found)


DOING = "def f():\n    return 1\n"


def test_a_module_without_test_is_named() -> None:
    assert untested({"collab/core/apply.py": DOING}, ["tests/collab/test_apply.py"]) == [
        "collab/core/apply.py has no tests/collab/core/test_apply.py"
    ]


def test_a_module_of_values_and_protocols_needs_none() -> None:
    text = 'class P:\n    async def load(self) -> int:\n        """Loads."""\n        ...\n'
    assert untested({"collab/values.py": text}, []) == []


def test_a_long_test_file_may_be_split() -> None:
    assert untested({"collab/core/room.py": DOING}, ["tests/collab/core/test_room_ending.py"]) == []


def test_an_orphan_is_named() -> None:
    assert orphans(
        ["rest/front.py"], ["tests/rest/test_front.py", "tests/rest/test_back.py", "tests/wire/test_x.py"]
    ) == ["tests/rest/test_back.py tests nothing: there is no such module"]
