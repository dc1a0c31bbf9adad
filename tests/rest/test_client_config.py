"""What TMI's clients ask for at their start."""

from __future__ import annotations

import json

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from protocol.values import Limits
from rest.client_config import ClientConfig
from tests.support.edges import Edge


async def test_anybody_may_read_it_and_keep_it_for_a_while(here: Edge) -> None:
    found = await here.http.get("/config")
    assert (found.status_code, found.headers["cache-control"]) == (200, "public, max-age=300")
    assert json.loads(found.content)["features"] == {
        "websocket_enabled": True,
        "saml_enabled": False,
        "webhooks_enabled": True,
        "timmy_enabled": False,
    }


@pytest.mark.parametrize(("allowed", "told"), [(7, 7), (500, 100)])
def test_the_number_of_participants_stays_within_the_contract_of_its_clients(allowed: int, told: int) -> None:
    config = ClientConfig(Limits(max_sockets_per_session=allowed))
    client = TestClient(Starlette(routes=[Route("/config", config.read)]))
    assert client.get("/config").json()["limits"] == {"max_diagram_participants": told}
