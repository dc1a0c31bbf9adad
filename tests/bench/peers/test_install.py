from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.peers import PEERS, Peer, install, prepare
from bench.peers.install import Once

every_peer = pytest.mark.parametrize("peer", PEERS, ids=[peer.name for peer in PEERS])


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(install, "MADE", tmp_path / "made")
    return tmp_path / "made"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder programs are found in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


@every_peer
@pytest.mark.usefixtures("programs")
def test_without_node_a_peer_is_missing(peer: Peer) -> None:
    assert prepare(peer) == "no Node.js here"


def test_a_failed_install_is_told_by_its_last_line(programs: Path) -> None:
    write_program(programs / "node", "exit 0")
    write_program(programs / "npm", "echo some >&2; echo 'no route to the index' >&2; exit 1")
    assert str(prepare(PEERS[0])).endswith("npm ci` failed: no route to the index")


def test_what_is_there_is_not_installed_again(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "peers"
    shutil.copytree(install.HERE, here, ignore=shutil.ignore_patterns("node_modules", ".venv", ".made"))
    monkeypatch.setattr(install, "HERE", here)
    write_program(programs / "node", "exit 0")
    write_program(programs / "npm", f"echo ran >> {tmp_path}/log; /bin/mkdir node_modules")
    assert [prepare(PEERS[0]), prepare(PEERS[0])] == [None, None]
    assert (tmp_path / "log").read_text("utf-8") == "ran\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "lock"
    source.write_text("one", "utf-8")
    return source


@pytest.fixture
def product(tmp_path: Path, source: Path) -> Path:
    """Made from the source, and remembered."""
    product = tmp_path / "product"
    with Once(product, [source]):
        product.mkdir()
    return product


def test_what_is_there_is_not_made_again(product: Path, source: Path) -> None:
    with Once(product, [source]) as todo:
        assert not todo


def test_from_a_changed_source_it_is_made_again(product: Path, source: Path) -> None:
    source.write_text("two", "utf-8")
    with Once(product, [source]) as todo:
        assert todo


def test_what_was_removed_is_made_again(product: Path, source: Path) -> None:
    product.rmdir()
    with Once(product, [source]) as todo:
        assert todo


def test_what_failed_is_tried_again(tmp_path: Path, source: Path) -> None:
    (tmp_path / "half").mkdir()
    with pytest.raises(ZeroDivisionError), Once(tmp_path / "half", [source]):
        raise ZeroDivisionError
    with Once(tmp_path / "half", [source]) as todo:
        assert todo
