"""Who last changed what, against a log that is searched from end to end."""

from __future__ import annotations

from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from collab.core.maps import Map
from collab.core.traces import Traces, Write, traced
from protocol.operations import KeyPath
from protocol.values import CellId, UserId

A = CellId("a")
USERS = [UserId("ana"), UserId("bo"), UserId("cy")]
PATHS: list[KeyPath] = [(), ("x",), ("attrs",), ("attrs", "body"), ("attrs", "body", "fill"), ("attrs", "line")]
Log = list[tuple[UserId, list[KeyPath]]]


def log(seed: int) -> Log:
    chance = Random(seed)
    return [(chance.choice(USERS), chance.sample(PATHS, chance.choice([1, 1, 2]))) for _ in range(12)]


def traces(entries: Log) -> Traces:
    trace = None
    for vector, (user, paths) in enumerate(entries, start=1):
        trace = traced(trace, paths, Write(user, vector))
    assert trace is not None
    return Traces(cells=Map({A: trace}))


def searched(entries: Log, path: KeyPath, user: UserId, since: int) -> bool:
    return any(
        writer != user and vector > since and (path[: len(written)] == written or written[: len(path)] == path)
        for vector, (writer, paths) in enumerate(entries, start=1)
        for written in paths
    )


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_trace_answers_as_the_whole_log_would(seed: int) -> None:
    entries = log(seed)
    known = traces(entries)
    for path in PATHS:
        for user in USERS:
            for since in range(len(entries) + 1):
                assert known.by_other(A, path, user, since) == searched(entries, path, user, since)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_after_forgetting_what_lies_above_the_floor_is_exact_and_below_everything_is_in_doubt(
    seed: int, floor: int
) -> None:
    entries = log(seed)
    known = traces(entries).above(floor)
    for path in PATHS:
        for user in USERS:
            for since in range(len(entries) + 1):
                expected = since < floor or searched(entries, path, user, since)
                assert known.by_other(A, path, user, since) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_traces_survive_a_snapshot(seed: int, floor: int) -> None:
    known = traces(log(seed)).above(floor)
    assert Traces.load(msgspec.json.decode(msgspec.json.encode(known.dump()))) == known


def test_a_cell_that_nobody_touched_was_changed_by_nobody() -> None:
    assert not Traces().by_other(A, (), USERS[0], 0)


def test_a_cell_is_forgotten_with_its_last_write() -> None:
    known = traces([(USERS[0], [("x",)])])
    assert A in known.above(0).cells
    assert A not in known.above(1).cells


def test_the_floor_never_sinks() -> None:
    assert Traces(floor=5).above(3).floor == 5


def test_a_write_to_the_order_is_known_by_user() -> None:
    known = Traces(order=traced(None, [()], Write(USERS[0], 4)))
    assert known.order_by_other(USERS[1], 3)
    assert not known.order_by_other(USERS[1], 4)
    assert not known.order_by_other(USERS[0], 0)
    assert Traces.load(msgspec.json.decode(msgspec.json.encode(known.dump()))) == known


def test_below_the_floor_the_order_is_in_doubt_too() -> None:
    known = Traces(floor=5)
    assert known.order_by_other(USERS[0], 4)
    assert not known.order_by_other(USERS[0], 5)


def test_a_users_writes_to_many_keys_share_one_object() -> None:
    """A diagram that one user drew costs one object per write, not one per key."""
    write = Write(USERS[0], 1)
    trace = traced(None, [("x",), ("y",)], write)
    assert trace.newest is write
    assert all(part.own is write for part in trace.parts.values())


def test_a_snapshot_spells_them_as_those_before_it_did() -> None:
    """Stores of every version hold them."""
    trace = traced(traced(None, [("x",)], Write(USERS[0], 1)), [("attrs", "line"), ()], Write(USERS[1], 2))
    spelled = {
        "floor": 0,
        "order": None,
        "cells": {
            "a": [
                ["bo", 2, 1],
                ["bo", 2, 0],
                {
                    "x": [["ana", 1, 0], ["ana", 1, 0], {}],
                    "attrs": [["bo", 2, 0], None, {"line": [["bo", 2, 0], ["bo", 2, 0], {}]}],
                },
            ]
        },
    }
    known = Traces(cells=Map({A: trace}))
    assert msgspec.json.decode(msgspec.json.encode(known.dump())) == spelled
    assert Traces.load(spelled) == known
