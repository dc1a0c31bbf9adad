"""Random lives of one diagram's rooms on several workers, between which news is lost, repeated and swapped."""

from __future__ import annotations

import random

import pytest

from collab.core.events import BusSensed, Departure, Heard, RightsMoved
from collab.core.state import RoomSettings
from protocol.intents import Aware, Undo
from protocol.refusals import Ending
from protocol.values import Limits, OperationId, Role
from tests.collab.core.test_room_random import DIALECTS, NAMES, Life
from tests.support.roomworlds import Desk, Worlds
from tests.support.script import Guest, edit

SETTINGS = RoomSettings(host_grace_s=1.0, limits=Limits(max_sockets_per_user=4), store_patience_s=1.0)


class Lives:
    """`parts`: one life per worker, of which the questions and requests are taken."""

    def __init__(self, seed: int, workers: int) -> None:
        self.chance = random.Random(seed)
        self.worlds = Worlds(SETTINGS, seed, workers)
        self.number = 0

    def live(self, length: int) -> Worlds:
        for _ in range(length):
            self.step(self.chance.choice(self.worlds.desks))
            self.worlds.deliver(self.chance.randrange(3))
        return self.worlds

    def step(self, desk: Desk) -> None:
        chance, worlds = self.chance, self.worlds
        draw, name = chance.randrange(100), chance.choice(NAMES)
        sockets = [socket for socket, ear in desk.ears.items() if socket not in desk.gone and not ear.closed]
        socket = chance.choice(sockets) if sockets else None
        if draw < 14:
            self.number += 1
            worlds.store.create(name)
            desk.join(Guest(name, chance.choice(DIALECTS), socket=f"{name}#{self.number}"))
        elif draw < 20 and socket is not None:
            desk.leave(socket, chance.choice(list(Departure)))
        elif draw < 45:
            desk.answer("writer", chance.choice((0, 0, 0, 0, 0, 1, 2)))
        elif draw < 62:
            desk.answer("chair", chance.choice((0, 0, 0, 0, 1)))
        elif draw < 68:
            desk.answer_survey(known=chance.random() < 0.9)
        elif draw < 78 and socket is not None:
            desk.ask(socket, self.operation())
        elif draw < 86 and socket is not None:
            desk.ask(socket, Life.request(self, chance.randrange(100), chance.choice(NAMES)))  # type: ignore[arg-type]
        elif draw < 89 and socket is not None:
            desk.ask(socket, Aware(cursor={"x": chance.randrange(100), "y": 0}))
        elif draw < 90:
            desk.pass_time(chance.choice((0.01, 0.06, 0.3, 2.0)))
        elif draw < 93:
            desk.look()
            desk.say_again()
        else:
            self.happening(desk, name, chance.randrange(7))

    def operation(self) -> Undo | object:
        self.number += 1
        two, three = self.chance.randrange(100), self.chance.randrange(100)
        if two % 6 == 5:
            return Undo(OperationId(f"o{self.number}"))
        return edit(f"o{self.number}", Life.changes(self, two, three))  # type: ignore[arg-type]

    def happening(self, desk: Desk, name: str, draw: int) -> None:
        worlds = self.worlds
        match draw:
            case 0:
                desk.die()
            case 1:
                desk.post(Heard("", (), gap=True))
            case 2:
                desk.post(BusSensed(healthy=self.chance.random() < 0.5))
            case 3:
                worlds.store.roles[name] = self.chance.choice((Role.READER, Role.WRITER, Role.WRITER))
                worlds.store.acl_version += 1
                desk.post(RightsMoved())
                desk.speak(RightsMoved())
            case 4:
                worlds.store.end(Ending.IDLE)
                desk.post(RightsMoved())
                desk.speak(RightsMoved())
            case 5:
                moved = worlds.store.leave(name)
                if moved is not None:
                    desk.post(moved)
                    desk.speak(moved)
            case _:
                worlds.expire()


@pytest.mark.parametrize("block", range(4))
def test_I2_I20_I22_I29_hold_in_long_lives_on_several_workers(block: int) -> None:
    admitted = 0
    for seed in range(25 * block, 25 * block + 25):
        worlds = Lives(seed, 2 + seed % 2).live(250)
        worlds.settle()
        try:
            worlds.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error
        admitted += sum(ear.admitted for desk in worlds.desks for ear in desk.ears.values())
    assert admitted > 25, "a run in which nobody was let in does not count"
