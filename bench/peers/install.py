"""Brings the peers here at run time: pinned packages in ignored folders, and the frames that they are sent."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.peers.peer import HERE, VENV, Peer
from bench.peers.plans import FRAMES, MADE, SENDERS

PATIENCE = 300
"""Seconds for one command; on a fast line all of npm's takes fifteen."""


class Missing(Exception):
    """Why a peer is not to be had."""


def prepare(peer: Peer) -> str | None:
    """Installs what the peer needs, once; the reason where it is not to be had."""
    try:
        _node()
        if peer.in_python:
            _python()
        _frames()
    except Missing as reason:
        return str(reason)
    return None


def _node() -> None:
    """Clients' frames are recorded with npm's Yjs for the Python peer too."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise Missing("no Node.js here")
    pins = [HERE / name for name in ("package.json", "package-lock.json", ".npmrc")]
    with Once(HERE / "node_modules", pins) as todo:
        if todo:
            _run([npm, "ci"])


def _python() -> None:
    with Once(VENV, [HERE / "requirements.lock"]) as todo:
        if todo:
            _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
            wanted = ["--require-hashes", "--only-binary", ":all:", "-r", "requirements.lock"]
            _run([str(VENV / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])


def _frames() -> None:
    node = shutil.which("node") or "node"
    greeting = MADE / "connect.json"
    with Once(greeting, [HERE / "record.mjs", HERE / "tldraw.mjs", HERE / "package-lock.json"]) as todo:
        if todo:
            _run([node, "record.mjs", str(MADE), str(SENDERS), str(FRAMES)])
            greeting.write_text(_run([node, "tldraw.mjs", "connect"]), "utf-8")


class Once:
    """Whether something is still to be made; that it was, and from what, is remembered beside the frames."""

    def __init__(self, made: Path, sources: Sequence[Path]) -> None:
        self._made = made
        self._stamp = MADE / f"{made.name}.done"
        self._state = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()

    def __enter__(self) -> bool:
        MADE.mkdir(exist_ok=True)
        return not (self._made.exists() and self._stamp.exists()) or self._stamp.read_text("ascii") != self._state

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._stamp.write_text(self._state, "ascii")


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Missing(f"`{' '.join(command[:3])}` failed: {said[-1] if said else done.returncode}")
    return done.stdout
