"""When to come back: the server's word, the close codes, and a jitter within its bounds."""

from __future__ import annotations

import random

import pytest

from codraw.client import Backoff, RestError, Unreachable
from codraw.client.returning import Loss, after_close, after_handshake, after_refusal
from protocol.dialects.codraw_v1_messages import Goodbye

LOST = Loss("lost")


@pytest.mark.parametrize(
    ("code", "policy", "reason"),
    [
        (1000, "no", "lost"),
        (1002, "no", "lost"),
        (1006, "yes", "lost"),
        (1009, "yes", "too_big"),
        (1012, "yes", "restart"),
        (1013, "yes", "unavailable"),
        (4401, "reauthenticate", "token_expired"),
        (4403, "no", "access_revoked"),
        (4404, "no", "session_not_found"),
        (4408, "yes", "slow"),
        (4429, "yes", "too_many_connections"),
        (None, "yes", "lost"),
    ],
)
def test_S80_the_close_code_says_whether_to_return(code: int | None, policy: str, reason: str) -> None:
    loss = after_close(code, "text", None)
    assert (loss.policy, loss.reason, loss.code, loss.message) == (policy, reason, code, "text")


@pytest.mark.parametrize("code", [1012, 1013, 4429])
def test_after_a_busy_server_there_is_a_pause_at_least(code: int) -> None:
    assert after_close(code, "", None).retry_after_ms == 1_000


def test_a_goodbye_says_it_better_than_the_code() -> None:
    loss = after_close(1000, "", Goodbye(1012, "restart", "server restarts", "yes", 1_800))
    assert loss == Loss("restart", "server restarts", 1012, "yes", 1_800)


@pytest.mark.parametrize(
    ("error", "policy"),
    [
        (RestError(401, {}), "no"),
        (RestError(403, {}), "no"),
        (RestError(404, {}), "no"),
        (RestError(503, {}, 2.0), "yes"),
        (RestError(404, {}, 1.0), "yes"),
        (Unreachable("gone"), "yes"),
    ],
)
def test_without_a_ticket_it_depends_on_why(error: RestError | Unreachable, policy: str) -> None:
    assert after_refusal(error).policy == policy


@pytest.mark.parametrize(
    ("status", "policy"), [(400, "no"), (401, "reauthenticate"), (403, "no"), (503, "yes"), (500, "yes")]
)
def test_a_refused_upgrade_depends_on_its_status(status: int, policy: str) -> None:
    assert after_handshake(status, 3.0).policy == policy


def test_what_the_server_asks_for_is_waited_for() -> None:
    assert Backoff(chance=lambda: 0.0).delay_s(after_handshake(429, 7.0), 0) == 7.0
    assert after_refusal(RestError(429, {}, 2.5)).retry_after_ms == 2_500


def test_the_ceiling_doubles_up_to_its_bound() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    assert [backoff.delay_s(LOST, 0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_the_jitter_is_full() -> None:
    chance = random.Random(1)
    delays = [Backoff(first_s=8, chance=chance.random).delay_s(LOST, 0) for _ in range(1_000)]
    assert 0 <= min(delays) < 0.5 and 7.5 < max(delays) <= 8
    assert 3.5 < sum(delays) / len(delays) < 4.5


def test_after_a_steady_connection_it_begins_anew() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    assert [backoff.delay_s(LOST, lived_s) for lived_s in (0, 5, 11, 0)] == [0.5, 1, 0.5, 1]


def test_ten_thousand_attempts_are_no_matter() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    assert {backoff.delay_s(LOST, 0) for _ in range(10_000)} == {0.5, 1, 2, 4, 8, 16, 30}
