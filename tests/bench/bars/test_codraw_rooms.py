from __future__ import annotations

import pytest

from bench.bars.codraw_rooms import People, Room
from bench.bars.programs import Failed
from codraw.local_stores import free_port


def test_a_server_that_is_gone_fails_the_round_and_not_the_run() -> None:
    people = People(free_port())
    with pytest.raises(Failed, match="refused"):
        people.open_room(1)
    with pytest.raises(Failed, match="refused"):
        people.end(Room("/threat_models/m/diagrams/d", []))
    people.close()
