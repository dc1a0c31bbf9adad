"""`python -m tests.autobahn install|full`: the Autobahn test suite where there is a Python 2.7; all its cases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.autobahn.suite import NO_ECHO, PASSED, WAYS, Verdict, echo, faults, install, play
from tests.support.client import Classic
from tests.support.needs import AUTOBAHN, NEEDS, find_python27
from tests.support.servers import Server, meet, sign_in

REPORT = AUTOBAHN.with_name("report")
LOOPS = ("uvloop", "asyncio")


def main() -> str | None:
    """Why it failed."""
    match sys.argv[1:]:
        case ["install"]:
            return installed()
        case ["full"]:
            return full()
    return __doc__


def installed() -> str | None:
    python27 = find_python27()
    if python27 is None:
        return "== no Python 2.7: the Autobahn test suite is skipped"
    try:
        install(python27)
    except subprocess.CalledProcessError:
        return "== pip could not install the Autobahn test suite; it is skipped"
    return None


def full() -> str | None:
    python27 = NEEDS["autobahn"][0]()
    if python27 is None:
        return f"error: {NEEDS['autobahn'][1]}"
    REPORT.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Verdict]] = {}
    with ThreadPoolExecutor() as clients:
        for part in clients.map(lambda loop: on(loop, python27), LOOPS):
            found |= part
    wrong = [f"{log} holds a traceback" for log in REPORT.glob("*.log") if "Traceback" in log.read_text()]
    for name, verdicts in found.items():
        seen = Counter(verdict.behavior for verdict in verdicts.values()).most_common()
        print(f"{name:<16} {len(verdicts)} cases: {', '.join(f'{count} {what}' for what, count in seen)}")
        wrong += [f"{name} {fault}" for fault in faults(verdicts)]
    closes = asyncio.run(on_a_diagram(python27))
    open_ends = [f"a diagram {case}: close {one.close}" for case, one in closes.items() if one.close not in PASSED]
    print(f"{'a diagram':<16} {len(closes)} cases: {len(closes) - len(open_ends)} closed as they should be")
    wrong += open_ends
    return "\n".join(("error:", *wrong)) if wrong else None


def on(loop: str, python27: str) -> dict[str, dict[str, Verdict]]:
    began, folder = time.monotonic(), REPORT / loop
    with echo(loop, REPORT) as url:
        found = play(python27, {f"{loop}, {way}": f"{url}/{way}" for way in WAYS}, folder)
    print(f"{time.monotonic() - began:.0f} s: {(folder / 'index.html').relative_to(Path.cwd())}")
    return found


async def on_a_diagram(python27: str) -> dict[str, Verdict]:
    """Of a guest of a live session, by a token that lasts; only how the sockets were closed counts."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        meeting = await meet(await sign_in(server, "ana"))
        await Classic(meeting, meeting.host).join()
        guest = await sign_in(server, "bo")
        address = {"diagram": f"{meeting.url}?token={guest.token}"}
        found = await asyncio.to_thread(play, python27, address, REPORT / "diagram", but=NO_ECHO)
        await meeting.over()
    return found["diagram"]


if __name__ == "__main__":
    sys.exit(main())
