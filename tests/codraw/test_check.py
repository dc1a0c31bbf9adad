"""What cannot be served, or not safely, is refused, each reason in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from codraw.check import refusals, warnings
from codraw.settings import Settings

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"
SOUND = {"secret_key": SECRET, "public_url": "https://draw.example.org"}


def refused(**given: Any) -> list[str]:
    return refusals(Settings(**given))


def test_development_needs_nothing() -> None:
    assert refused(mode="development") == []


def test_sound_production_is_served() -> None:
    assert refused(**SOUND) == []


POSTGRES = "postgresql://ann:hunter2@db/codraw"
REDIS = "redis://:hunter2@news/0"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "a SQLite file serves one process and CODRAW_REDIS_URL is not set"),
        ({"store_url": POSTGRES}, "CODRAW_REDIS_URL is not set"),
        ({"redis_url": REDIS}, "a SQLite file serves one process"),
    ],
)
def test_several_workers_need_postgresql_and_redis(given: dict[str, Any], why: str) -> None:
    assert refused(mode="development", workers=2, **given) == [
        f"More than one worker needs PostgreSQL and Redis: {why}."
    ]


@pytest.mark.parametrize(
    "given", [{"store_url": POSTGRES}, {"store_url": POSTGRES, "redis_url": REDIS}, {"redis_url": REDIS}]
)
def test_one_worker_runs_on_any_of_them(given: dict[str, Any]) -> None:
    assert refused(mode="development", **given) == []


def test_several_workers_run_on_both() -> None:
    assert refused(mode="development", workers=4, store_url=POSTGRES, redis_url=REDIS) == []


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"store_url": "mysql://db"}, "CODRAW_STORE_URL"),
        ({"store_url": "sqlite:///"}, "CODRAW_STORE_URL"),
        ({"store_url": POSTGRES, "redis_url": "localhost:6379"}, "CODRAW_REDIS_URL"),
    ],
)
def test_an_address_of_another_kind_is_refused(given: dict[str, Any], name: str) -> None:
    (sentence,) = refused(mode="development", **given)
    assert sentence.startswith(f"{name} must look like")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"secret_key": None}, "CODRAW_SECRET_KEY is not set"),
        ({"secret_key": "short, but no default"}, "shorter than 32 bytes"),
        ({"secret_key": "change-me-change-me-change-me-change-me"}, "a default or a placeholder"),
        ({"secret_key": "your-secret-key-change-in-production"}, "a default or a placeholder"),
        ({"secret_key": "0" * 40}, "a default or a placeholder"),
        ({"public_url": None}, "CODRAW_PUBLIC_URL is not set"),
        ({"public_url": "http://draw.example.org"}, "must start with https://"),
        ({"allowed_origins": "https://a.org,*"}, "lists *"),
    ],
)
def test_unsafe_production_is_refused(given: dict[str, Any], words: str) -> None:
    (sentence,) = refused(**{**SOUND, **given})
    assert words in sentence


def test_a_short_secret_is_refused_in_development_too() -> None:
    (sentence,) = refused(mode="development", secret_key="short")
    assert "shorter than 32 bytes" in sentence


@pytest.mark.parametrize(
    "given",
    [
        {"max_cell_bytes": 2, "max_diagram_bytes": 1},
        {"max_cells_per_operation": 2, "max_cells_per_diagram": 1},
        {"max_sockets_per_user": 2, "max_sockets_per_session": 1},
    ],
)
def test_limits_that_contradict_each_other_are_refused(given: dict[str, Any]) -> None:
    (sentence,) = refused(mode="development", **given)
    assert "is larger than" in sentence


def test_no_sentence_shows_the_secret() -> None:
    assert "hunter2" not in " ".join(refused(secret_key="hunter2"))


@pytest.mark.parametrize(
    ("given", "name"), [({"redis_url": REDIS}, "CODRAW_REDIS_URL"), ({"durability": "relaxed"}, "CODRAW_DURABILITY")]
)
def test_what_a_sqlite_file_does_not_use_is_a_warning(given: dict[str, Any], name: str) -> None:
    (sentence,) = warnings(Settings(**SOUND, **given))
    assert sentence.startswith(f"{name} is not used")
    assert warnings(Settings(**SOUND, **{"redis_url": REDIS} | given, store_url=POSTGRES)) == []


def test_an_unknown_name_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_PROT", "1")
    assert warnings(Settings(**SOUND)) == ["CODRAW_PROT is not a setting; did you mean CODRAW_PORT?"]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("127.0.0.1.x", True),
    ],
)
def test_development_that_others_can_reach_is_a_warning(host: str, told: bool) -> None:
    found = warnings(Settings(mode="development", host=host))
    assert [sentence.startswith(f"Whoever reaches {host} ") for sentence in found] == [True] * told
    assert warnings(Settings(**SOUND, host=host)) == []
