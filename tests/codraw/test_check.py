"""What cannot be served, or not safely, is refused, each reason in one sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from codraw.check import algorithm, refusals, warnings
from codraw.settings import Settings

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"
CORP = {"id": "corp", "name": "Corp", "issuer": "https://login.example.org", "client_id": "codraw"}
SOUND = {"secret_key": SECRET, "public_url": "https://draw.example.org", "oidc_providers": [CORP]}


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
        ({"secret_key_previous": "change-me-change-me-change-me-change-me"}, "CODRAW_SECRET_KEY_PREVIOUS is a default"),
        ({"public_url": None}, "CODRAW_PUBLIC_URL is not set"),
        ({"public_url": "http://draw.example.org"}, "must start with https://"),
        ({"allowed_origins": "https://a.org,*"}, "lists *"),
        ({"oidc_providers": [{**CORP, "issuer": "http://localhost:8080"}]}, "the issuer of corp must start with https"),
    ],
)
def test_unsafe_production_is_refused(given: dict[str, Any], words: str) -> None:
    (sentence,) = refused(**{**SOUND, **given})
    assert words in sentence


@pytest.mark.parametrize("name", ["secret_key", "secret_key_previous"])
def test_S26_a_short_secret_is_refused_in_development_too(name: str) -> None:
    (sentence,) = refused(mode="development", **{name: "short"})
    assert sentence == f"CODRAW_{name.upper()} is shorter than 32 bytes."


@pytest.mark.parametrize("name", ["secret_key", "secret_key_previous"])
def test_a_secret_of_bytes_that_are_no_text_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"CODRAW_{name.upper()}", os.fsdecode(bytes(range(200, 248))))
    assert "bytes that are no text" in " ".join(refusals(Settings(mode="development")))


def test_S26_a_key_pair_is_no_secret() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
    (sentence,) = refused(**{**SOUND, "secret_key": pem})
    assert sentence == "CODRAW_SECRET_KEY is a key pair or a certificate, and no secret."


def test_signing_keys_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (sentence,) = refused(**SOUND, signing_keys=str(tmp_path / "none.pem"))
    assert sentence == f"CODRAW_SIGNING_KEYS: {tmp_path}/none.pem cannot be read."


@pytest.mark.parametrize(
    "callback", ["app.example.org/cb", "/cb", "https://a.org/cb#here", "https://*.a.org/cb", "https://a.org/c b"]
)
def test_AU6_S32_a_callback_that_could_match_more_than_itself_is_refused(callback: str) -> None:
    (sentence,) = refused(**SOUND, oauth_callbacks=f"https://a.org/cb, {callback}")
    assert sentence.startswith(f"CODRAW_OAUTH_CALLBACKS: {callback} ")


def test_the_algorithm_is_that_of_the_first_key(tmp_path: Path) -> None:
    assert algorithm(Settings(**SOUND)) == "HS256"
    private = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert algorithm(Settings(**SOUND, signing_keys=str(tmp_path / "key.pem"))) == "ES256"


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


@pytest.mark.parametrize(
    "url", ["https://example.org/draw", "https://ann@example.org", "https://ex ample.org", "https://müller.de"]
)
def test_a_public_address_that_no_page_can_come_from_is_refused(url: str) -> None:
    (sentence,) = refused(**{**SOUND, "public_url": url})
    assert sentence.startswith("CODRAW_PUBLIC_URL must look like https://draw.example.com:8443")


@pytest.mark.parametrize("url", ["https://Draw.example.org", "https://draw.example.org:8443/", "https://[2001:db8::1]"])
def test_a_public_address_is_an_origin(url: str) -> None:
    assert refused(**{**SOUND, "public_url": url}) == []


def test_no_sentence_shows_the_secret() -> None:
    assert "hunter2" not in " ".join(refused(secret_key="hunter2"))


@pytest.mark.parametrize(
    ("given", "name"), [({"redis_url": REDIS}, "CODRAW_REDIS_URL"), ({"durability": "relaxed"}, "CODRAW_DURABILITY")]
)
def test_what_a_sqlite_file_does_not_use_is_a_warning(given: dict[str, Any], name: str) -> None:
    (sentence,) = warnings(Settings(**SOUND, **given))
    assert sentence.startswith(f"{name} is not used")
    assert warnings(Settings(**SOUND, **{"redis_url": REDIS} | given, store_url=POSTGRES)) == []


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/draw", "https://*.example.com"])
def test_an_origin_that_no_page_has_is_a_warning(origin: str) -> None:
    (sentence,) = warnings(Settings(mode="development", allowed_origins=(origin, "https://app.example.com:8443")))
    assert sentence.startswith(f"CODRAW_ALLOWED_ORIGINS: {origin} is not like")


def test_S35_production_without_a_provider_is_a_warning() -> None:
    (sentence,) = warnings(Settings(**{**SOUND, "oidc_providers": ()}))
    assert sentence.startswith("Nobody can sign in")
    assert warnings(Settings(**SOUND)) == warnings(Settings(mode="development")) == []


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
