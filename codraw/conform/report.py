"""What a run came to: the table for people, the failures at length, and the same as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from codraw.conform.rules import Check
from codraw.conform.run import Result, Verdict

LOOKS = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.UNDECIDED: "magenta",
    Verdict.NOT_APPLICABLE: "yellow",
}
SEEN = (Verdict.PASSED, Verdict.FAILED)
EXPLAINED = (Verdict.FAILED, Verdict.UNDECIDED)
LAST_LINES = 16
WIDTH = 150
"""Where no terminal says otherwise, 80 columns would break every line of the table."""


def show(results: Sequence[Result], sentences: Mapping[str, str], console: Console) -> None:
    table = Table("rule", "looks at", "dialect", "", "why", box=None, pad_edge=False)
    for result in results:
        look = LOOKS[result.verdict]
        verdict = f"[{look}]{result.verdict}[/]"
        why = escape(result.text.splitlines()[0][:100]) if result.text else ""
        table.add_row(result.check.name, escape(result.check.says), str(result.dialect or ""), verdict, why)
    _print(table, console)
    for result in results:
        if result.verdict in EXPLAINED:
            _explain(result, sentences, console)
    console.print(escape(summary(results)))


def _print(table: Table, console: Console) -> None:
    console.width = max(WIDTH, console.width)
    console.print(table)


def _explain(result: Result, sentences: Mapping[str, str], console: Console) -> None:
    console.print(f"\n[bold red]{escape(result.name)}[/] {escape(result.check.says)}")
    for id in result.check.ids:
        if id in sentences:
            console.print(escape(f"  the rule   {id}: {sentences[id]}"))
    console.print(escape(f"  what came  {result.text}"))
    for line in result.trace[-LAST_LINES:]:
        console.print(escape(f"    {line}"), highlight=False)


def summary(results: Sequence[Result]) -> str:
    count = Counter(result.verdict for result in results)
    rules = {id for result in results if result.verdict in SEEN for id in result.check.ids}
    shown = [verdict for verdict in Verdict if count[verdict] or verdict is not Verdict.UNDECIDED]
    tally = ", ".join(f"{count[verdict]} {verdict}" for verdict in shown)
    return f"{tally}; {len(rules)} rules seen"


def catalogue(checks: Sequence[Check], unseen: Mapping[str, str], console: Console) -> None:
    """`unseen`: rule id -> why there is no check of it."""
    table = Table("rule", "looks at", "dialects", box=None, pad_edge=False)
    for check in checks:
        table.add_row(check.name, escape(check.says), " ".join(check.dialects))
    _print(table, console)
    console.print("\nnot looked at")
    for why in dict.fromkeys(unseen.values()):
        ids = " ".join(id for id in unseen if unseen[id] == why)
        console.print(escape(f"  {why}: {ids}"))


def write_json(results: Sequence[Result], url: str, path: Path) -> None:
    rows = [
        {
            "rules": result.check.ids,
            "looks_at": result.check.says,
            "dialect": result.dialect,
            "verdict": result.verdict,
            "why": result.text,
            "seconds": result.seconds,
            "trace": result.trace if result.verdict in EXPLAINED else (),
        }
        for result in results
    ]
    path.write_text(json.dumps({"server": url, "results": rows}, indent=1, ensure_ascii=False) + "\n", "utf-8")
