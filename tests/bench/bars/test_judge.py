"""Whether a bar is met follows from the figures, and nothing is said of what was not measured."""

from __future__ import annotations

from typing import Any

import pytest

from bench.bars.commits import Commit
from bench.bars.contestants import CODRAW, FLOOR, PLAIN
from bench.bars.figures import Figures, Round
from bench.bars.judge import NODE_PEERS, rows
from bench.bars.regimes import FIXED_100, HEAVY, ROOM_OF_10, ROOM_OF_100, Regime
from bench.growth.results import Row

COMMIT = Commit(1.0, 3.0, 250.0)


def figures(*measured: tuple[str, Regime, dict[str, Any]]) -> Figures:
    found = Figures()
    for contestant, regime, values in measured:
        given = {
            "us": 1.0,
            "per_second": float(regime.per_second),
            "share": 0.5,
            "generator_share": 0.5,
            "is_bottleneck": False,
            "deliveries": 10_000,
            "delivery_ms": None,
            "receipt_ms": None,
            "late_ms": None,
        }
        found.of(contestant, regime.told).rounds.append(Round(**{**given, **values}))  # fmt: skip
    return found


def row(found: list[Row], what: str) -> Row:
    return next(row for row in found if what in row.what)


@pytest.mark.parametrize(("us", "met"), [(1.6, True), (1.61, False)])
def test_B1_stands_at_16_tenths_of_the_floor(us: float, met: bool) -> None:
    found = rows(figures((CODRAW, ROOM_OF_100, {"us": us}), (FLOOR, ROOM_OF_100, {"us": 1.0})), COMMIT)
    assert row(found, "1x100 saturated, against the C floor").met is met


@pytest.mark.parametrize(("us", "met"), [(5.0, True), (4.9, False)])
def test_a_peer_must_cost_so_many_times_more(us: float, met: bool) -> None:
    found = rows(figures((CODRAW, ROOM_OF_10, {}), ("y-websocket", ROOM_OF_10, {"us": us})), COMMIT)
    one = row(found, "1x10 saturated, against y-websocket")
    assert (one.bar, one.ratio, one.met) == ("B3", us, met)


def test_a_peer_that_is_missing_is_neither_met_nor_missed() -> None:
    found = rows(figures((CODRAW, ROOM_OF_10, {})), COMMIT)
    assert row(found, "1x10 saturated, against Socket.IO: not measured").met is None


def test_the_middle_round_counts() -> None:
    three = [(CODRAW, ROOM_OF_100, {"us": us}) for us in (1.0, 9.0, 1.2)]
    found = rows(figures(*three, (FLOOR, ROOM_OF_100, {})), COMMIT)
    assert row(found, "against the C floor").value == 1.2


@pytest.mark.parametrize(("p50", "p99", "met"), [(3.6, 7.0, (True, True)), (3.7, 7.1, (False, False))])
def test_B5_allows_one_commit_on_top_of_C(p50: float, p99: float, met: tuple[bool, bool]) -> None:
    ours, theirs = {"delivery_ms": {"p50": p50, "p99": p99}}, {"delivery_ms": {"p50": 2.0, "p99": 2.0}}
    found = rows(figures((CODRAW, FIXED_100, ours), (PLAIN, FIXED_100, theirs)), COMMIT)
    assert (row(found, "p50 ms of a delivery").met, row(found, "p99 ms of a delivery").met) == met


def test_B5_compares_with_the_cheapest_node_peer() -> None:
    peers = [("Socket.IO", FIXED_100, {"us": 2.0}), ("ShareDB", FIXED_100, {"us": 0.9})]
    found = rows(figures((CODRAW, FIXED_100, {}), *peers), COMMIT)
    assert row(found, "cheapest Node peer, ShareDB").met is False


@pytest.mark.parametrize(("missing", "met"), [(None, True), ("Socket.IO", None)])
def test_B5_is_below_every_node_peer_only_where_none_is_missing(missing: str | None, met: bool | None) -> None:
    peers = [(name, FIXED_100, {"us": 2.0}) for name in NODE_PEERS if name != missing]
    found = rows(figures((CODRAW, FIXED_100, {}), *peers), COMMIT)
    assert row(found, "cheapest Node peer").met is met


def test_B5b_is_missed_where_the_load_was_not_carried() -> None:
    ours = {"delivery_ms": {"p50": 1.0, "p99": 1.0}, "per_second": 60_000.0}
    found = rows(figures((CODRAW, HEAVY, ours)), COMMIT)
    assert row(found, "p99 ms of a delivery, 1x100 at 100,000").met is True
    assert row(found, "of 100,000 deliveries/s").met is False


def test_without_peers_nothing_is_said_of_them() -> None:
    assert not [
        one for one in rows(figures((CODRAW, ROOM_OF_10, {})), COMMIT, peers=False) if "y-websocket" in one.what
    ]
