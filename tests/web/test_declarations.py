"""The TypeScript declarations: a strict program is understood, and what is declared is there."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.support.needs import NODE_MODULES, need
from tests.support.tree import ROOT

COMPILER = NODE_MODULES / "typescript/bin/tsc"
CONSUMER = ROOT / "tests/web/consumer.ts"
SDK = ROOT / "web/sdk"
STRICT = [
    *("--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"),
    *("--target", "es2022", "--lib", "es2022,dom", "--module", "esnext", "--moduleResolution", "bundler"),
]
EXPORTED = re.compile(r"^export (?:function|class|const) (\w+)", re.MULTILINE)
CLASS = re.compile(r"^export class (\w+).*?\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
MEMBER = re.compile(r"^  (?:readonly )?(?!constructor)(\w+)[<(:]", re.MULTILINE)
PRESENT = """
const [folder, ...names] = process.argv.slice(1);
const found = {};
for (const name of names) {
  const module = await import(`file://${folder}/${name}.js`);
  found[name] = Object.fromEntries(Object.entries(module).map(([key, value]) => {
    const isClass = /^class\\b/.test(Function.prototype.toString.call(value)) && !(value.prototype instanceof Error);
    const options = { url: "ws://x", ticket() {}, WebSocket: class {} };
    return [key, isClass ? [...members(value === module.Overlay ? new value(new Map()) : new value(options))] : null];
  }));
}
function* members(object) {
  yield* Object.keys(object);
  yield* Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter((name) => name !== "constructor");
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The compiler's, of a strict program and a wrong one. It reads both at once: a run takes it 4 s of CPU."""
    need("npm")
    wrong = tmp_path_factory.mktemp("programs") / "wrong.ts"
    wrong.write_text(f'import {{ connect }} from "{SDK / "codraw.js"}";\nconnect({{ url: 7 }});\n', "utf-8")
    command = [need("node"), COMPILER, *STRICT, CONSUMER, wrong]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100).stdout
    return [line for line in said.splitlines() if "error TS" in line]


def test_a_strict_program_is_understood(complaints: list[str]) -> None:
    assert [line for line in complaints if "wrong.ts(2," not in line] == []


def test_a_wrong_program_is_not(complaints: list[str]) -> None:
    assert any("wrong.ts(2," in line for line in complaints)


def test_what_is_declared_is_there_and_the_other_way_round(node: str) -> None:
    modules = [path.name.removesuffix(".d.ts") for path in sorted(SDK.glob("*.d.ts"))]
    command = [node, "--input-type=module", "--eval", PRESENT, str(SDK), *modules]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    for module in modules:
        text = (SDK / f"{module}.d.ts").read_text("utf-8")
        assert set(EXPORTED.findall(text)) == set(found[module])
        for name, body in CLASS.findall(text):
            if found[module][name] is not None:
                assert set(MEMBER.findall(body)) == set(found[module][name]), name
