"""Installs the Autobahn test suite and plays its cases against servers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.needs import AUTOBAHN
from tests.support.tree import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WSTEST = """
import site, sys
site.addsitedir(sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()
"""
ECHO = """
import ctypes, signal, sys
if sys.platform == "linux":  # a test run that is killed takes its servers along: PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from tests.autobahn.echo import serve
serve(sys.argv[1])
"""
COMPRESSION = ("12.*", "13.*")
"""Frames are not compressed."""
WAYS = ("frames", "send")
"""In which the echo can answer, as paths of its address."""
NO_ECHO = ("1.*", "6.4.*", "6.5.*", "6.6.*", "6.7.*", "6.9.*", "6.11.*", "6.22.*", "6.23.*", "7.1.1", "9.*", "10.*")
"""Cases that a server passes by an echo alone. What the others send an endpoint that is none has to close as well."""
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


class Verdict(NamedTuple):
    """In the suite's words: of what was answered, and of how the connection was closed."""

    behavior: str
    close: str

    @property
    def passed(self) -> bool:
        return {self.behavior, self.close} <= PASSED


def install(python27: str) -> None:
    """Raises CalledProcessError where it cannot be had; what is there before stays no matter what."""
    print("== installing tests/autobahn/requirements.txt", flush=True)
    made = AUTOBAHN.with_name("installing")
    shutil.rmtree(made, ignore_errors=True)
    pip = [python27, "-W", "ignore", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-compile"]
    subprocess.run([*pip, "--no-deps", "--require-hashes", "--target", made, "-r", REQUIREMENTS], check=True)
    shutil.rmtree(AUTOBAHN, ignore_errors=True)
    made.rename(AUTOBAHN)


@contextmanager
def echo(loop: str, folder: Path) -> Iterator[str]:
    """The address of an echo in a process of its own, which logs to `<loop>.log` in the folder."""
    with (
        (folder / f"{loop}.log").open("wb") as log,
        subprocess.Popen([sys.executable, "-c", ECHO, loop], cwd=ROOT, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def play(
    python27: str, servers: Mapping[str, str], folder: Path, *, cases: Sequence[str] = ("*",), but: Sequence[str] = ()
) -> dict[str, dict[str, Verdict]]:
    """Server's name -> case -> verdict. `servers`: name -> address. The suite's own report is `folder`/index.html."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "outdir": str(folder),
        "servers": [{"agent": name, "url": url} for name, url in servers.items()],
        "cases": list(cases),
        "exclude-cases": [*COMPRESSION, *but],
        "exclude-agent-cases": {},
    }
    (folder / "index.json").unlink(missing_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec))
    wstest = [python27, "-W", "ignore", "-c", WSTEST, str(AUTOBAHN), "-m", "fuzzingclient", "-s", "spec.json"]
    said = subprocess.run(wstest, cwd=folder, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert said.returncode == 0, said.stdout[-4_000:]
    found = json.loads((folder / "index.json").read_text())
    return {name: {case: _verdict(one) for case, one in found[name].items()} for name in servers}


def _verdict(found: Mapping[str, str]) -> Verdict:
    return Verdict(found["behavior"], found["behaviorClose"])


def faults(verdicts: Mapping[str, Verdict]) -> list[str]:
    return [f"{case}: {', '.join(verdict)}" for case, verdict in verdicts.items() if not verdict.passed]
