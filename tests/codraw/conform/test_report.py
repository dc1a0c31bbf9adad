from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from codraw.conform import report
from codraw.conform.rules import Check, Dialect
from codraw.conform.run import Result, Verdict
from codraw.conform.stage import Stage


async def nothing(stage: Stage) -> None: ...


CHECK = Check(("OP12", "OP13"), "null [deletes]", nothing, (Dialect.TMI,))
RESULTS = (
    Result(CHECK, Dialect.TMI, Verdict.FAILED, "the cell: expected [1], came [2]", ("bo/tmi >> {}",), 0.5),
    Result(CHECK, Dialect.V1, Verdict.PASSED),
    Result(Check(("PR1",), "x", nothing), None, Verdict.NOT_APPLICABLE, "takes 30 s: --slow"),
)


def shown(width: int = 200) -> str:
    console = Console(record=True, width=width, file=io.StringIO())
    report.show(RESULTS, {"OP12": "An update keeps [all]."}, console)
    return console.export_text()


def test_the_table_has_every_result_with_its_reason() -> None:
    text = shown()
    assert "OP12 OP13" in text and "null [deletes]" in text
    assert "takes 30 s: --slow" in text
    assert "1 passed, 1 failed, 1 not applicable; 2 rules seen" in text


def test_a_failure_quotes_the_rule_and_shows_the_frames() -> None:
    text = shown()
    assert "OP12: An update keeps [all]." in text
    assert "what came  the cell: expected [1], came [2]" in text
    assert "bo/tmi >> {}" in text


def test_the_catalogue_lists_rules_seen_and_not_seen() -> None:
    console = Console(record=True, width=200, quiet=False)
    report.catalogue([CHECK], {"VEC4": "needs a kill", "VEC13": "needs a kill"}, console)
    text = console.export_text()
    assert "null [deletes]" in text and "needs a kill: VEC4 VEC13" in text


def test_what_is_undecided_is_counted_apart_and_explained() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    slow = Result(CHECK, Dialect.TMI, Verdict.UNDECIDED, "too slow", ("bo/tmi >> {}",))
    report.show([slow], {}, console)
    text = console.export_text()
    assert "0 passed, 0 failed, 1 undecided, 0 not applicable; 0 rules seen" in text
    assert "bo/tmi >> {}" in text


def test_the_results_as_JSON(tmp_path: Path) -> None:
    report.write_json(RESULTS, "http://there", tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert found["server"] == "http://there"
    first = found["results"][0]
    assert (first["rules"], first["verdict"], first["trace"]) == (["OP12", "OP13"], "failed", ["bo/tmi >> {}"])
    assert found["results"][1]["trace"] == []
