"""A run as people read it: while it lasts, at its end on the terminal, and as one page with pictures."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence

import msgspec
from rich.console import Console, Group
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from codraw.load.measures import Measures, Sample
from codraw.load.plan import Plan
from codraw.load.results import Results
from codraw.load.scenarios import Scenario

BAR = 60
FEW = 30
"""So many points of a line are marked: of a short run there would be nothing to see."""
COLUMNS = ("count", "p50", "p90", "p99", "p99.9", "max")
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .15rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } tr:nth-child(even) { background: #8881; }
.bad { color: #c22; font-weight: 600; } .good { color: #282; font-weight: 600; }
svg { max-width: 100%; height: auto; background: #fff; } pre { white-space: pre-wrap; }
"""


def live(plan: Plan, sample: Sample, measures: Measures) -> Group:
    """The picture of one second."""
    table = Table("", "now", "in all", box=None, pad_edge=False)
    tally = measures.tally
    table.add_row("connected", f"{sample.connected} of {plan.editors}", "")
    table.add_row("operations", f"{sample.operations}/s", f"{tally['operations']}")
    table.add_row("deliveries", f"{sample.deliveries}/s", f"{tally['deliveries'] + tally['cursors seen']}")
    table.add_row("receipt p50, p99", f"{sample.receipt_p50:.1f}, {sample.receipt_p99:.1f} ms", "")
    table.add_row("delivery p50, p99", f"{sample.delivery_p50:.1f}, {sample.delivery_p99:.1f} ms", "")
    table.add_row("rejected", f"{sample.rejections}", f"{measures.rejections.total()}")
    table.add_row("closed", f"{sample.closes}", f"{measures.closes.total()}")
    table.add_row("sent again", "", f"{tally['sent again']}")
    table.add_row("faults", "", f"[{'red' if measures.faults else 'green'}]{measures.faults.total()}[/]")
    table.add_row("generator", f"{sample.generator_cpu:.0%} of a core", "")
    for pid, (cpu, memory) in sample.servers.items():
        table.add_row(f"server {pid}", f"{cpu:.0%} of a core", f"{memory:.0f} MiB")
    return Group(_progress(plan, sample, tally["sessions lived and ended"], is_loaded=bool(measures.samples)), table)


def _progress(plan: Plan, sample: Sample, lived: int, *, is_loaded: bool) -> ProgressBar:
    """Of the ramp first, by who is there; then of the time; where sessions come and go, of these."""
    if plan.scenario is Scenario.SESSIONS:
        return ProgressBar(plan.sessions, lived, width=BAR)
    if not is_loaded:
        return ProgressBar(plan.editors, min(sample.connected, plan.editors), width=BAR, complete_style="yellow")
    return ProgressBar(plan.duration_s, min(sample.second, plan.duration_s), width=BAR)


def line(sample: Sample) -> str:
    """The same where no terminal is."""
    return (
        f"{sample.second:6.0f} s  {sample.connected} connected  {sample.operations} operations/s"
        f"  {sample.deliveries} deliveries/s  receipt p50 {sample.receipt_p50:.1f} p99 {sample.receipt_p99:.1f} ms"
        f"  delivery p50 {sample.delivery_p50:.1f} p99 {sample.delivery_p99:.1f} ms  closed {sample.closes}"
    )


def show(results: Results, console: Console) -> None:
    """The end, on a terminal."""
    for sentence in head(results):
        console.print(Text(sentence), highlight=False)
    table = Table("milliseconds", *COLUMNS, box=None, pad_edge=False)
    for name, row in rows(results):
        table.add_row(name, *row)
    console.print(table)
    for title, counts in tallies(results).items():
        if counts:
            console.print(f"{title}: {', '.join(f'{escape(name)} {n}' for name, n in counts.items())}", highlight=False)
    for example in results.examples:
        console.print(Text(f"  {example}"), style="red", highlight=False)
    for remark in results.remarks:
        console.print(Text(remark), style="yellow", highlight=False)
    style = "bold red" if not results.is_good else "green" if results.is_proof else "yellow"
    console.print(Text(verdict(results)), style=style, highlight=False)


def head(results: Results) -> list[str]:
    plan = results.plan
    return [
        results.command,
        f"{results.begun_at}  {results.machine}, Python {results.python}, server {results.server}",
        f"{plan.scenario}: {plan.editors} editors on {plan.diagrams} diagrams, {', '.join(plan.dialects)},"
        f" {plan.rate:g} strokes/s each, seed {plan.seed}, {len(plan.urls)} addresses",
        f"{results.took_s:.1f} s under load: {results.operations_per_s:g} operations/s,"
        f" {results.deliveries_per_s:g} deliveries/s; generator {results.generator_cpu:.0%} of a core",
        *(
            f"server {one.pid}: {one.ended.cpu_s - one.begun.cpu_s:.1f} s CPU,"
            f" {one.begun.memory_mib:.0f} MiB, at most {one.most_mib:.0f}, at the end {one.ended.memory_mib:.0f};"
            f" files {one.begun.files} and {one.ended.files}, threads {one.begun.threads} and {one.ended.threads}"
            for one in results.servers
            if one.begun is not None and one.ended is not None
        ),
    ]


def rows(results: Results) -> list[tuple[str, list[str]]]:
    """Name and figures of every histogram; those of the phases too where there are several."""
    found = [(name, _figures(one)) for name, one in results.latencies.items()]
    if len(results.phases) > 1:
        found += [
            (f"  {kind}, {phase}", _figures(figures))
            for phase, both in results.phases.items()
            for kind, figures in both.items()
        ]
    return found


def _figures(figures: Mapping[str, float]) -> list[str]:
    return [f"{figures['count']:g}", *(f"{figures[name]:.2f}" for name in COLUMNS[1:])]


def tallies(results: Results) -> dict[str, Mapping[str, int]]:
    return {
        "counted": results.tally,
        "rejected": results.rejections,
        "closed": results.closes,
        "faults": results.faults,
    }


def verdict(results: Results) -> str:
    if not results.is_good:
        return f"FAULTS: {', '.join(f'{n} × {name}' for name, n in results.faults.items())}"
    if not results.is_proof:
        return "no faults, and nothing proved: nothing was sent"
    if (found := results.agreement) is None:
        return "good: no faults"
    return (
        f"good: nothing lost, doubled or out of order; {found.editors} editors on {found.diagrams} diagrams agree with"
        f" GET at {found.workers} addresses, {found.settled_s:.2f} s after the last stroke"
    )


# the page -------------------------------------------------------------------------------------------------------------


def page(results: Results) -> str:
    """One file that needs no other."""
    latencies = "".join(
        f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{figure}</td>' for figure in row)}</tr>"
        for name, row in rows(results)
    )
    counted = "".join(
        f"<tr><td>{title}</td><td>{html.escape(name)}</td><td>{n}</td></tr>"
        for title, counts in tallies(results).items()
        for name, n in counts.items()
    )
    plan = html.escape(msgspec.json.format(msgspec.json.encode(results.plan), indent=1).decode())
    sentences = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in (*head(results)[1:], *results.remarks))
    examples = "".join(f"<li>{html.escape(example)}</li>" for example in results.examples)
    look = "bad" if not results.is_good else "good" if results.is_proof else "idle"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>codraw load: {results.plan.scenario}</title>
<style>{STYLE}</style></head><body><h1>codraw load: {results.plan.scenario}</h1>
<p class="{look}">{html.escape(verdict(results))}</p><p><code>{html.escape(results.command)}</code></p>{sentences}
<h2>Latency, in milliseconds</h2>
<table><tr><th></th>{"".join(f"<th>{name}</th>" for name in COLUMNS)}</tr>{latencies}</table>
{"".join(pictures(results))}
<h2>Counted</h2><table>{counted}</table><ul>{examples}</ul>
<h2>Settings</h2><pre>{plan}</pre>
</body></html>
"""


def pictures(results: Results) -> list[str]:
    """As SVG: rates, latencies and use over time, and the percentiles."""
    samples = results.samples
    seconds = [sample.second for sample in samples]
    found = [
        _picture("a second", "seconds", seconds, {
            "operations": [sample.operations for sample in samples],
            "deliveries": [sample.deliveries for sample in samples],
        }),
        _picture("milliseconds", "seconds", seconds, {
            "receipt p50": [sample.receipt_p50 for sample in samples],
            "receipt p99": [sample.receipt_p99 for sample in samples],
            "delivery p50": [sample.delivery_p50 for sample in samples],
            "delivery p99": [sample.delivery_p99 for sample in samples],
        }),
        _picture("share of a core", "seconds", seconds, {
            "generator": [sample.generator_cpu for sample in samples],
            **{f"server {one.pid}": [s.servers[str(one.pid)][0] for s in samples] for one in results.servers},
        }),
    ]  # fmt: skip
    curves = {name: [ms for _, ms in curve] for name, curve in results.curves.items()}
    found.append(_percentiles([p for p, _ in next(iter(results.curves.values()))], curves))
    if results.servers:
        memory = {f"server {one.pid}": [s.servers[str(one.pid)][1] for s in samples] for one in results.servers}
        found.append(_picture("MiB", "seconds", seconds, memory))
    return found


def _picture(
    y: str, x: str, places: Sequence[float], lines: Mapping[str, Sequence[float]], marks: Sequence[str] = ()
) -> str:
    # drawing is no business of a run without pictures, and takes its time to load
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.add_subplot()
    for name, values in lines.items():
        axes.plot(places, values, label=name, linewidth=1.2, marker="o" if len(places) < FEW else "", markersize=3)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_ylim(bottom=0, top=1.15 * max((value for values in lines.values() for value in values), default=0) or 1)
    if marks:
        axes.set_xticks(places, marks)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right", fontsize="small")
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return "<svg" + text.getvalue().partition("<svg")[2]


def _percentiles(percentiles: Sequence[float], lines: Mapping[str, Sequence[float]]) -> str:
    """Evenly spaced, or the interesting end would be one point."""
    marks = [f"{percentile:g}" for percentile in percentiles]
    return _picture("milliseconds", "percentile", range(len(percentiles)), lines, marks)
