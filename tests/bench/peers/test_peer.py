from __future__ import annotations

import json

import pytest

from bench.peers import PEERS, Peer
from bench.peers.peer import HERE

every_peer = pytest.mark.parametrize("peer", PEERS, ids=[peer.name for peer in PEERS])


@every_peer
def test_a_peer_has_its_driver(peer: Peer) -> None:
    assert (HERE / peer.driver).is_file()


@every_peer
def test_the_version_told_is_the_one_that_installs(peer: Peer) -> None:
    if peer.in_python:
        assert f"\n{peer.package}=={peer.version} \\\n" in (HERE / "requirements.lock").read_text("utf-8")
    else:
        lock = json.loads((HERE / "package-lock.json").read_text("utf-8"))
        assert lock["packages"][f"node_modules/{peer.package}"]["version"] == peer.version


@every_peer
def test_it_is_started_with_its_port(peer: Peer) -> None:
    assert peer.argv(9001)[1:] == (str(HERE / peer.driver), "9001")


def test_node_servers_run_in_production_mode() -> None:
    assert {peer.environment.get("NODE_ENV") for peer in PEERS if not peer.in_python} == {"production"}


def test_no_package_has_scripts_of_its_own_run() -> None:
    assert "ignore-scripts=true" in (HERE / ".npmrc").read_text("utf-8").splitlines()


def test_the_lock_names_no_address() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text("utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
