"""The ids in SPEC.md are the ids in test names, both ways.

A rule without a test is a wish, a test without a rule a guess.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest

from tests.support.tree import ROOT, lines, sources

ID = r"(?:OP|WS|VEC|UN|PR|SES|AU|RE|I|S)\d+"
ROW = re.compile(rf"^\| ({ID}) \| (.+) \|$", re.MULTILINE)
LOOKS_LIKE_A_ROW = re.compile(r"^\| *([A-Z]+\d+)\b.*$", re.MULTILINE)
JS_TEST = re.compile(r"\b(?:test|it|describe)(?:\.\w+)?\(\s*(['\"`])(.*?)\1", re.DOTALL)


def rules(text: str) -> list[str]:
    """Every id of the document, in order, repeats included."""
    return [id_ for id_, _ in ROW.findall(text)]


def ids_of_name(name: str) -> list[str]:
    """`test_OP1_OP2_a_sentence` and `TestOP1Sentence` carry ids; `test_a_sentence_on_S3` does not."""
    if name.startswith("Test"):
        return re.findall(ID, found.group()) if (found := re.match(rf"(?:{ID})+", name[4:])) else []
    return (
        re.findall(ID, found.group()) if (found := re.match(rf"(?:{ID}(?:_|$))+", name.removeprefix("test_"))) else []
    )


def python_ids(path: str, text: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(text, path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and re.match(
            "test_|Test", node.name
        ):
            yield from ((id_, f"{path}:{node.lineno}") for id_ in ids_of_name(node.name))


def js_ids(path: str, text: str) -> Iterator[tuple[str, str]]:
    for found in JS_TEST.finditer(text):
        leading = re.match(rf"(?:{ID}[\s,:]+)+", found.group(2) + " ")
        line = text.count("\n", 0, found.start()) + 1
        yield from ((id_, f"{path}:{line}") for id_ in re.findall(ID, leading.group() if leading else ""))


def tested(texts: Mapping[str, str]) -> dict[str, str]:
    """Id -> the first place that carries it."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        for id_, place in (python_ids if path.endswith(".py") else js_ids)(path, text):
            found.setdefault(id_, place)
    return found


def differences(spec: str, tests: Mapping[str, str]) -> list[str]:
    ids = rules(spec)
    return [
        *(f"SPEC.md: {id_} stands there twice" for id_ in sorted({id_ for id_ in ids if ids.count(id_) > 1})),
        *(f"SPEC.md: {row!r} is no row" for row in LOOKS_LIKE_A_ROW.findall(spec) if row not in ids),
        *(f"SPEC.md: no test carries {id_}" for id_ in ids if id_ not in tests),
        *(f"{place}: SPEC.md has no {id_}" for id_, place in tests.items() if id_ not in ids),
    ]


def test_the_rules_are_the_tested_rules() -> None:
    texts = sources("tests") | sources("web/tests", suffixes=(".js", ".mjs", ".ts"))
    # Its own examples below are names, not tests.
    texts.pop("tests/test_spec.py")
    found = differences((ROOT / "SPEC.md").read_text("utf-8"), tested(texts))
    assert not found, lines(found)


@pytest.mark.parametrize(
    ("path", "text", "ids"),
    [
        ("a.py", "def test_OP1_OP2_both(): ...", ["OP1", "OP2"]),
        ("a.py", "class Suite:\n    async def test_I12_kept(self): ...", ["I12"]),
        ("a.py", "class TestWS12AndMore: ...", ["WS12"]),
        ("a.py", "def test_S3(): ...", ["S3"]),
        ("a.py", "def test_a_rule_like_S3_elsewhere(): ...", []),
        ("a.py", "def helper_OP1_x(): ...", []),
        ("a.js", "test('VEC14 UN3 twins agree', () => {})", ["VEC14", "UN3"]),
        ("a.js", 'it.each(x)("OP1", f); test("about OP2", f)', []),
        ("a.js", "describe(`SES5: ends`, f)", ["SES5"]),
    ],
)
def test_ids_are_read_from_names(path: str, text: str, ids: list[str]) -> None:
    assert list(tested({path: text})) == ids


def test_a_rule_without_test_is_named() -> None:
    assert differences("| OP1 | Sentence. |\n", {}) == ["SPEC.md: no test carries OP1"]


def test_a_test_without_rule_is_named() -> None:
    assert differences("", {"OP1": "a.py:3"}) == ["a.py:3: SPEC.md has no OP1"]


def test_a_rule_that_stands_twice_is_named() -> None:
    text = "| OP1 | One. |\n| OP1 | Another. |\n"
    assert differences(text, {"OP1": "a.py:1"}) == ["SPEC.md: OP1 stands there twice"]


def test_a_row_that_cannot_be_read_is_named() -> None:
    assert differences("| OPS1 | Sentence. |\n", {}) == ["SPEC.md: 'OPS1' is no row"]
