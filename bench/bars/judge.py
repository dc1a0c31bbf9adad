"""The bars B1 to B5b: rows out of figures. A row whose figures are not all there is neither met nor missed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bench.bars.commits import Commit
from bench.bars.contestants import CODRAW, FLOOR, PLAIN
from bench.bars.figures import Figure, Figures
from bench.bars.regimes import FIXED, FIXED_100, HEAVY, ROOM_OF_10, ROOM_OF_100, ROOM_OF_1000, ROOMS_100, Regime
from bench.growth.results import Row

FLOOR_BARS: Sequence[tuple[str, Regime, float]] = (("B1", ROOM_OF_100, 1.6), ("B2", ROOM_OF_1000, 1.6))
"""Times the C floor, at most."""
PEER_BARS: Sequence[tuple[str, Regime, Mapping[str, float]]] = (
    (
        "B1",
        ROOM_OF_100,
        {
            "y-websocket": 12,
            "Socket.IO": 12,
            "Hocuspocus": 15,
            "ShareDB": 20,
            "tldraw sync": 6,
            "pycrdt-websocket": 35,
        },
    ),
    ("B2", ROOM_OF_1000, {"y-websocket": 10, "tldraw sync": 8}),
    ("B3", ROOM_OF_10, {"y-websocket": 5, "Socket.IO": 3}),
    ("B4", ROOMS_100, {"y-websocket": 2.5, "Socket.IO": 2}),
)
"""So many times less than the peer, at least."""
NODE_PEERS = ("y-websocket", "Hocuspocus", "ShareDB", "tldraw sync", "Socket.IO")
FIXED_FLOOR, FIXED_P50, FIXED_P99, HEAVY_P99_MS, FULL = 1.4, 1.3, 2.0, 2.0, 0.95


def unmeasured(bar: str, what: str, bar_is: str) -> Row:
    return Row(bar, f"{what}: not measured", 0.0, None, None, bar_is, None)


def at_most(bar: str, what: str, value: float, reference: float, most: float) -> Row:
    ratio = round(value / reference, 3)
    return Row(bar, what, round(value, 3), round(reference, 3), ratio, f"<= {most:g} x", ratio <= most)


def times_less(bar: str, what: str, value: float, reference: float, least: float) -> Row:
    """`ratio`: the reference by the value."""
    ratio = round(reference / value, 2)
    return Row(bar, what, round(value, 3), round(reference, 3), ratio, f">= {least:g} x less", ratio >= least)


def within(bar: str, what: str, value: float, most: float, bar_is: str, reference: float | None = None) -> Row:
    ratio = None if not reference else round(value / reference, 3)
    return Row(bar, what, round(value, 3), reference and round(reference, 3), ratio, bar_is, value <= most)


def rows(figures: Figures, commit: Commit | None, peers: bool = True) -> list[Row]:
    found = [*_floor_rows(figures)]
    if peers:
        found += _peer_rows(figures)
    found += _fixed_rows(figures, commit, peers)
    found.sort(key=lambda row: row.bar)
    return found


def _floor_rows(figures: Figures) -> Iterator[Row]:
    for bar, regime, most in FLOOR_BARS:
        what = f"CPU us a delivery, {regime.told}, against the C floor"
        ours, floor = figures.known(CODRAW, regime.told), figures.known(FLOOR, regime.told)
        yield at_most(bar, what, ours.us, floor.us, most) if ours and floor else unmeasured(bar, what, f"<= {most:g} x")


def _peer_rows(figures: Figures) -> Iterator[Row]:
    for bar, regime, factors in PEER_BARS:
        ours = figures.known(CODRAW, regime.told)
        for peer, least in factors.items():
            what, theirs = f"CPU us a delivery, {regime.told}, against {peer}", figures.known(peer, regime.told)
            if ours is None or theirs is None:
                yield unmeasured(bar, what, f">= {least:g} x less")
            else:
                yield times_less(bar, what, ours.us, theirs.us, least)


def _fixed_rows(figures: Figures, commit: Commit | None, peers: bool) -> Iterator[Row]:
    for regime in FIXED:
        ours = figures.known(CODRAW, regime.told)
        if ours is None:
            yield unmeasured("B5", regime.told, "")
            continue
        if peers:
            yield _cheapest_peer(figures, ours, regime)
        if plain := figures.known(PLAIN, regime.told):
            if regime is FIXED_100:
                yield at_most("B5", f"CPU us a delivery, {regime.told}, against C", ours.us, plain.us, FIXED_FLOOR)
            yield from _latencies(ours, plain, regime, commit)
    yield from _heavy_rows(figures, commit)


def _cheapest_peer(figures: Figures, ours: Figure, regime: Regime) -> Row:
    """Below all that are there it is not yet below every one, where one is missing."""
    known = [one for name in NODE_PEERS if (one := figures.known(name, regime.told))]
    what = f"CPU us a delivery, {regime.told}, against the cheapest Node peer"
    if not known:
        return unmeasured("B5", what, "< 1 x")
    cheapest = min(known, key=lambda one: one.us)
    row = within("B5", f"{what}, {cheapest.contestant}", ours.us, cheapest.us, "< 1 x", cheapest.us)
    missing = [name for name in NODE_PEERS if not figures.known(name, regime.told)]
    if not missing or not row.met:
        return row
    return msgspec.structs.replace(row, what=f"{row.what}; without {', '.join(missing)}", met=None)


def _latencies(ours: Figure, plain: Figure, regime: Regime, commit: Commit | None) -> Iterator[Row]:
    for percentile, factor, place in (("p50", FIXED_P50, 0), ("p99", FIXED_P99, 1)):
        mine, theirs = ours.delivery_ms(percentile), plain.delivery_ms(percentile)
        what = f"{percentile} ms of a delivery, {regime.told}, against C"
        bar_is = f"<= {factor:g} x + commit"
        if mine is None or theirs is None or commit is None:
            yield unmeasured("B5", what, bar_is)
        else:
            yield within("B5", what, mine, factor * theirs + commit[place], bar_is, theirs)


def _heavy_rows(figures: Figures, commit: Commit | None) -> Iterator[Row]:
    ours = figures.known(CODRAW, HEAVY.told)
    p99 = ours.delivery_ms("p99") if ours else None
    if ours is None or p99 is None or commit is None:
        yield unmeasured("B5b", HEAVY.told, f"p99 <= {HEAVY_P99_MS:g} ms + commit")
        return
    bar_is = f"<= {HEAVY_P99_MS:g} ms + commit"
    yield within("B5b", f"p99 ms of a delivery, {HEAVY.told}", p99, HEAVY_P99_MS + commit.p99_ms, bar_is, commit.p99_ms)
    yield within("B5b", f"use of the core, {HEAVY.told}", ours.share, FULL, f"<= {FULL:g}")
    kept_up = ours.per_second / HEAVY.per_second
    yield Row("B5b", f"of {HEAVY.per_second:,} deliveries/s", round(kept_up, 3), None, None, ">= 0.99", kept_up >= 0.99)
