"""Webhooks over REST: what one may subscribe to, and that everybody sees their own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from protocol.values import ThreatModelId
from rest.webhooks.events import NAMES
from rest.webhooks.ports import Event
from storage.outbox import SqlOutbox
from tests.support.edges import NOWHERE, Edge, Somebody

HOOK = {
    "name": "Slack Notifications",
    "url": "https://your-service.example.com/webhooks/tmi",
    "events": ["threat_model.created", "threat_model.updated", "threat.created"],
    "secret": "your-webhook-secret",
    "threat_model_id": None,
}
"""As the written contract has it."""
WHERE = "/webhook/subscriptions"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in HOOK.items() if key != name}


async def verified(here: Edge) -> SqlOutbox:
    """All who wait are active."""
    outbox = SqlOutbox(here.database, here.deps.now_ms)
    for asked in await outbox.challenges(100, 20_000):
        await outbox.verified(asked)
    return outbox


async def delivered_to(here: Edge, model: str, *kinds: str) -> None:
    """These events of the threat model are in the outbox."""
    outbox = await verified(here)
    after, now_ms = await outbox.told(), here.deps.now_ms()
    id = ThreatModelId(model.rpartition("/")[2])
    events = [Event(f"event {now_ms} {kind}", kind, id, now_ms, "{}") for kind in kinds]
    assert await outbox.tell(after, after + 1, events)


# subscriptions --------------------------------------------------------------------------------------------------------


async def test_RE19_a_subscription_waits_to_be_verified(alice: Somebody) -> None:
    answer = await alice.ask("POST", WHERE, HOOK)
    made = answer.json()
    assert answer.headers["location"] == f"{WHERE}/{made['id']}"
    assert made == {
        "id": made["id"],
        "name": HOOK["name"],
        "url": HOOK["url"],
        "events": HOOK["events"],
        "threat_model_id": None,
        "status": "pending_verification",
        "owner_id": "test:alice",
        "created_at": "2027-01-15T08:00:00Z",
        "modified_at": "2027-01-15T08:00:00Z",
        "last_error": None,
    }
    assert await alice.get(f"{WHERE}/{made['id']}") == made
    listed = await alice.get(WHERE)
    assert (listed["items"], listed["subscriptions"], listed["total"]) == ([made], [made], 1)


async def test_the_secret_is_never_shown_and_sealed_in_the_store(here: Edge, alice: Somebody) -> None:
    answers = [await alice.ask("POST", WHERE, HOOK), await alice.ask("GET", WHERE)]
    assert not any("secret" in answer.text for answer in answers)
    rows = await here.database.fetch("SELECT sealed_secret FROM webhook_subscription")
    assert list(rows) == [(f"sealed {HOOK['secret']}",)]


async def test_an_event_that_stands_twice_counts_once(alice: Somebody) -> None:
    made = await alice.post(WHERE, {**HOOK, "events": ["threat.created", "session.ended", "threat.created"]})
    assert made["events"] == ["threat.created", "session.ended"]
    assert (await alice.post(WHERE, {**HOOK, "events": list(NAMES)}))["events"] == list(NAMES)


@pytest.mark.parametrize("name", ["name", "url", "events", "secret"])
async def test_what_is_needed_has_to_be_there(alice: Somebody, name: str) -> None:
    for body in (without(name), {**HOOK, name: None}):
        refused = await alice.refused(422, "validation_error", "POST", WHERE, body)
        assert refused["details"]["field"] == name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "a" * 257),
        ("name", 5),
        ("url", "http://your-service.example.com/"),
        ("url", "https://127.0.0.1/"),
        ("url", "https://localhost/"),
        ("url", "https://user@your-service.example.com/"),
        ("url", "https://your-service.example.com/" + "a" * 2_048),
        ("url", ["https://your-service.example.com/"]),
        ("events", []),
        ("events", "threat.created"),
        ("events", ["threat.exploded"]),
        ("events", ["webhook.challenge"]),
        ("events", [None]),
        ("events", ["threat.created"] * 65),
        ("secret", "short"),
        ("secret", "a" * 257),
        ("secret", "whsec_no base64"),
        ("secret", 12_345_678),
    ],
)
async def test_what_will_not_do_is_named(alice: Somebody, field: str, value: Any) -> None:
    refused = await alice.refused(422, "validation_error", "POST", WHERE, {**HOOK, field: value})
    assert re.split(r"\W", refused["details"]["field"])[0] == field
    assert (await alice.get(WHERE))["total"] == 0


@pytest.mark.parametrize("field", ["id", "status", "owner_id", "created_at", "modified_at", "last_error"])
async def test_RE6_what_the_server_owns_cannot_be_given(alice: Somebody, field: str) -> None:
    refused = await alice.refused(400, "read_only_field", "POST", WHERE, {**HOOK, field: "x"})
    assert refused["details"]["field"] == field


async def test_S43_who_owns_it_is_who_asks(alice: Somebody) -> None:
    made = await alice.post(WHERE, {**HOOK, "owner": "test:bob", "user_id": "test:bob"})
    assert (made["owner_id"], "owner" in made) == ("test:alice", False)


async def test_of_one_threat_model_it_takes_a_reader(here: Edge, alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "reader"))
    id = model.rpartition("/")[2]
    assert (await bob.post(WHERE, {**HOOK, "threat_model_id": id.upper()}))["threat_model_id"] == id
    await (await here.as_("eve")).refused(403, "forbidden", "POST", WHERE, {**HOOK, "threat_model_id": id})
    await alice.refused(404, "not_found", "POST", WHERE, {**HOOK, "threat_model_id": NOWHERE})
    for value in ("x", 5, [id]):
        await alice.refused(400, "invalid_id", "POST", WHERE, {**HOOK, "threat_model_id": value})


async def test_there_is_an_end_to_how_many(here: Edge, alice: Somebody, bob: Somebody) -> None:
    hooks = here.deps.webhooks
    assert hooks is not None
    object.__setattr__(here.deps, "webhooks", replace(hooks, most=2))
    for _ in range(2):
        await alice.post(WHERE, HOOK)
    await alice.refused(422, "limit_exceeded", "POST", WHERE, HOOK)
    await bob.post(WHERE, HOOK)


async def test_S42_another_s_subscription_is_unknown(alice: Somebody, bob: Somebody) -> None:
    made = await alice.post(WHERE, HOOK)
    for method in ("GET", "DELETE"):
        for id in (made["id"], NOWHERE):
            await bob.refused(404, "not_found", method, f"{WHERE}/{id}")
        await bob.refused(400, "invalid_id", method, f"{WHERE}/x")
    await bob.refused(404, "not_found", "GET", f"/webhook/deliveries?subscription_id={made['id']}")
    assert (await bob.get(WHERE))["total"] == 0
    assert (await alice.get(WHERE))["total"] == 1


async def test_who_unsubscribes_has_it_no_more(alice: Somebody) -> None:
    made = await alice.post(WHERE, HOOK)
    await alice.delete(f"{WHERE}/{made['id']}")
    await alice.refused(404, "not_found", "GET", f"{WHERE}/{made['id']}")
    await alice.refused(404, "not_found", "DELETE", f"{WHERE}/{made['id']}")


async def test_AU14_nobody_subscribes_without_signing_in(here: Edge) -> None:
    for method, path in (("POST", WHERE), ("GET", WHERE), ("GET", "/webhook/deliveries")):
        assert (await here.http.request(method, path)).status_code == 401


# deliveries -----------------------------------------------------------------------------------------------------------


async def test_deliveries_are_listed_the_newest_first(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    first, second = await alice.post(WHERE, HOOK), await alice.post(WHERE, HOOK)
    await delivered_to(here, model, "threat_model.updated")
    here.clock.advance(1)
    await delivered_to(here, model, "threat.created", "diagram.created")
    listed = await alice.get(f"/webhook/deliveries?subscription_id={first['id']}")
    assert [one["event_type"] for one in listed["items"]] == ["threat.created", "threat_model.updated"]
    assert listed["total"] == 2
    one = listed["items"][0]
    assert one == {
        "id": one["id"],
        "subscription_id": first["id"],
        "event_type": "threat.created",
        "status": "pending",
        "attempts": 0,
        "created_at": "2027-01-15T08:00:01Z",
        "delivered_at": None,
        "last_error": None,
    }
    assert await alice.get(f"/webhook/deliveries/{one['id']}") == one
    everything = await alice.get("/webhook/deliveries")
    assert {delivery["subscription_id"] for delivery in everything["items"]} == {first["id"], second["id"]}
    oldest = await alice.get("/webhook/deliveries?sort=created_at&limit=1")
    assert (oldest["items"][0]["event_type"], oldest["total"]) == ("threat_model.updated", 4)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("subscription_id=x", "invalid_id"),
        ("subscription_id=", "invalid_id"),
        ("sort=name", "invalid_input"),
        ("sort=-modified_at", "invalid_input"),
        ("sort=secret", "invalid_input"),
        ("limit=0", "invalid_limit"),
        ("offset=x", "invalid_offset"),
    ],
)
async def test_what_is_asked_for_wrongly_is_400(alice: Somebody, query: str, error: str) -> None:
    await alice.refused(400, error, "GET", f"/webhook/deliveries?{query}")


async def test_S42_another_s_delivery_is_unknown(here: Edge, alice: Somebody, bob: Somebody) -> None:
    model = await alice.shared_model(("bob", "owner"))
    await alice.post(WHERE, HOOK)
    await delivered_to(here, model, "threat.created")
    (one,) = (await alice.get("/webhook/deliveries"))["items"]
    for path in (f"/webhook/deliveries/{one['id']}", f"/webhook/deliveries/{NOWHERE}"):
        await bob.refused(404, "not_found", "GET", path)
        await bob.refused(404, "not_found", "POST", f"{path}/replay")
    await bob.refused(400, "invalid_id", "GET", "/webhook/deliveries/x")
    await bob.refused(400, "invalid_id", "POST", "/webhook/deliveries/x/replay")
    assert (await bob.get("/webhook/deliveries"))["total"] == 0


async def test_a_delivery_can_be_replayed(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    await alice.post(WHERE, HOOK)
    await delivered_to(here, model, "threat.created")
    outbox = SqlOutbox(here.database, here.deps.now_ms)
    (attempt,) = await outbox.claim(1, 20_000)
    await outbox.not_delivered(attempt, "status 500", None)
    failed = await alice.get(f"/webhook/deliveries/{attempt.delivery}")
    assert (failed["status"], failed["attempts"], failed["last_error"]) == ("failed", 1, "status 500")
    again = await alice.post(f"/webhook/deliveries/{attempt.delivery}/replay", status=202)
    assert again == {**failed, "status": "pending", "attempts": 0, "last_error": None}
    assert len(await outbox.claim(1, 20_000)) == 1


async def test_RE19_what_is_not_active_replays_nothing(here: Edge, alice: Somebody) -> None:
    model = await alice.threat_model()
    made = await alice.post(WHERE, HOOK)
    await delivered_to(here, model, "threat.created")
    (one,) = (await alice.get("/webhook/deliveries"))["items"]
    sql = "UPDATE webhook_subscription SET status = 'failed' WHERE id = $1"
    await here.database.transaction(lambda tx: tx.execute(sql, made["id"]))
    await alice.refused(409, "conflict", "POST", f"/webhook/deliveries/{one['id']}/replay")


async def test_the_groups_of_the_token_are_the_owner_s(here: Edge, alice: Somebody) -> None:
    staff = {"subject_type": "group", "subject": "staff", "role": "reader"}
    model = await alice.threat_model(authorization=[staff])
    gus = await here.as_("gus", groups=("staff",))
    await gus.post(WHERE, HOOK)
    await delivered_to(here, model, "threat.created")
    assert (await gus.get("/webhook/deliveries"))["total"] == 1
