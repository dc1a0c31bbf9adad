from __future__ import annotations

from codraw.load.agreement import is_settled, settle
from codraw.load.scenarios import change
from codraw.load.wire import Dialect
from tests.codraw.load.scene import Scene, event, receipt, tell


async def test_who_waits_for_an_outcome_is_not_settled() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    ana.edit("mine", change("n1", x=1), 0.0)
    assert not is_settled(ana)
    tell(ana, receipt(1, "mine"))
    assert is_settled(ana)


async def test_who_lacks_what_another_has_is_not_settled() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    tell(ana, event(1, "o1"))
    assert is_settled(ana) and not is_settled(bob)


async def test_who_is_away_is_not_settled() -> None:
    scene = Scene()
    ana = scene.joined("ana")
    assert ana.line is not None
    ana.line.connection_lost(None)
    assert not is_settled(ana)


async def test_classic_is_settled_once_it_has_been_compared() -> None:
    scene = Scene()
    witness, carl = scene.joined("witness"), scene.joined("carl", Dialect.CLASSIC)
    carl.edit("mine", change("n1", x=1), 0.0)
    assert not is_settled(carl)
    tell(witness, event(1, "mine"))
    assert is_settled(carl)


async def test_waiting_has_an_end() -> None:
    scene = Scene()
    ana, bob = scene.joined("ana"), scene.joined("bob")
    assert (await settle([ana, bob], 0.0))[1]
    tell(ana, event(1, "o1"))
    assert not (await settle([ana, bob], 0.0))[1]
