"""Settings come from the command line, variables, secret files and `.env`, in that order, and never leak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from codraw.settings import Settings, SettingsRefused, handed, load, sources, taken, unknown_names
from protocol.values import Limits

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "correct horse battery staple, twice over"


def test_without_anything_the_mode_is_production() -> None:
    assert load().mode == "production"


def test_the_defaults_are_the_announced_limits() -> None:
    assert load().limits() == Limits()


def test_a_limit_that_was_set_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_MAX_CELLS_PER_DIAGRAM", "7")
    assert load().limits().max_cells_per_diagram == 7


def test_an_undo_scope_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_UNDO_SCOPE", "everybody")
    with pytest.raises(SettingsRefused, match="CODRAW_UNDO_SCOPE"):
        load()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load().port = 1  # type: ignore[misc]


def write_env(text: str) -> None:
    Path(".env").write_text(text)


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_PORT", "1")
    assert load({"port": 2}).port == 2


def test_an_option_that_was_not_given_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_PORT", "1")
    assert load({"port": None}).port == 1


def test_the_environment_wins_over_the_file_env(monkeypatch: pytest.MonkeyPatch) -> None:
    write_env("CODRAW_PORT=3\nCODRAW_HOST=::1\n")
    monkeypatch.setenv("CODRAW_PORT", "1")
    assert (load().port, load().host) == (1, "::1")


def test_a_secret_is_read_from_a_file_without_its_line_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    monkeypatch.setenv("CODRAW_SECRET_KEY_FILE", str(tmp_path / "secret"))
    secret = load().secret_key
    assert secret is not None and secret.get_secret_value() == SECRET


def test_the_file_env_may_name_a_secret_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    write_env("CODRAW_SECRET_KEY_FILE=secret\n")
    assert (load().secret_key is not None, sources()["secret_key"]) == (True, "file")


def test_a_secret_file_that_is_missing_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_SECRET_KEY_FILE", "nowhere")
    with pytest.raises(SettingsRefused, match=r"^CODRAW_SECRET_KEY_FILE names a file that cannot be read\.$"):
        load()


def test_each_source_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write_env("CODRAW_HOST=::1\n")
    monkeypatch.setenv("CODRAW_PORT", "1")
    monkeypatch.setenv("CODRAW_SECRET_KEY_FILE", "secret")
    found = sources({"mode": "development"})
    assert [found[name] for name in ("mode", "port", "secret_key", "host", "workers")] == [
        "command line",
        "environment",
        "file",
        ".env",
        "default",
    ]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "CODRAW_PORT should be a valid integer, unable to parse string as an integer."),
        ("PORT", "65536", "CODRAW_PORT should be less than or equal to 65535."),
        ("MODE", "debug", "CODRAW_MODE should be 'development' or 'production'."),
        ("WORKERS", "0", "CODRAW_WORKERS should be greater than or equal to 1."),
        ("MIN_NODE_SIZE", "40 by 30", "CODRAW_MIN_NODE_SIZE must look like 40x30."),
        ("PUBLIC_URL", "example.org", "CODRAW_PUBLIC_URL must start with https:// or http://."),
        ("READS_PER_MINUTE", "-1", "CODRAW_READS_PER_MINUTE should be greater than or equal to 0."),
        (
            "TRUSTED_PROXIES",
            "*",
            "CODRAW_TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, separated by commas.",
        ),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"CODRAW_{name}", value)
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert refused.value.sentences == [sentence]


def test_an_env_file_that_is_no_text_is_refused() -> None:
    Path(".env").write_bytes("CODRAW_REDIS_PREFIX=zeichnung-für-alle\n".encode("latin-1"))
    with pytest.raises(SettingsRefused, match=r"^\.env cannot be read: it has to be text in UTF-8\.$"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("ALLOWED_ORIGINS", "https://a.org/, https://b.org", "allowed_origins", ("https://a.org", "https://b.org")),
        ("TRUSTED_PROXIES", "10.0.0.0/8, fd00::1,", "trusted_proxies", ("10.0.0.0/8", "fd00::1")),
        ("RATE_LIMITS", "false", "rate_limits", False),
        ("MIN_NODE_SIZE", "20X10", "min_node_size", (20, 10)),
        ("SIGNING_KEYS", "keys/new.pem, keys/old.pem,", "signing_keys", ("keys/new.pem", "keys/old.pem")),
        ("OAUTH_CALLBACKS", "https://a.org/cb/", "oauth_callbacks", ("https://a.org/cb/",)),
        ("OAUTH_CLIENTS_WITHOUT_PKCE", "one, two", "oauth_clients_without_pkce", ("one", "two")),
        ("ADMIN_GROUPS", "corp:root", "admin_groups", ("corp:root",)),
        ("REVIEWER_GROUPS", " ", "reviewer_groups", ()),
        ("PUBLIC_URL", "https://draw.example.org/", "public_url", "https://draw.example.org"),
        ("STORE_URL", "sqlite:////var/lib/codraw.db", "sqlite_path", Path("/var/lib/codraw.db")),
        ("STORE_URL", "sqlite:///codraw.db", "sqlite_path", Path("codraw.db")),
        ("STORE_URL", "postgresql://db/x", "sqlite_path", None),
    ],
)
def test_values_are_read_as_people_write_them(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: Any
) -> None:
    monkeypatch.setenv(f"CODRAW_{name}", value)
    assert getattr(load(), field) == expected


@pytest.mark.parametrize(
    ("mode", "said", "limited"),
    [
        ("production", None, True),
        ("development", None, False),
        ("production", False, False),
        ("development", True, True),
    ],
)
def test_requests_are_limited_in_production_unless_it_is_said(mode: Any, said: bool | None, limited: bool) -> None:
    assert Settings(mode=mode, rate_limits=said).rates_limited is limited


def test_a_secret_does_not_show_in_the_settings() -> None:
    assert SECRET not in repr(Settings(secret_key=SECRET))


def test_settings_that_are_handed_over_are_the_same_and_read_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(secret_key=SECRET, allowed_origins="https://a.org", min_node_size="20x10", mode="development")
    monkeypatch.setenv("CODRAW_REDIS_URL", "redis://elsewhere/0")
    monkeypatch.setenv("CODRAW_PORT", "1")
    again = taken(json.loads(json.dumps(handed(settings))))
    assert again.model_dump() == settings.model_dump() and again.redis_url is None
    assert again.secret_key is not None and again.secret_key.get_secret_value() == SECRET


def test_every_secret_is_handed_over_and_none_is_shown() -> None:
    settings = Settings(secret_key=SECRET, secret_key_previous=SECRET[::-1])
    again = taken(json.loads(json.dumps(handed(settings))))
    assert again.secret_key_previous is not None
    assert again.secret_key_previous.get_secret_value() == SECRET[::-1]
    assert SECRET[::-1] not in repr(settings)


def test_a_version_that_knows_more_settings_takes_them_as_they_are_by_default() -> None:
    given = handed(Settings(port=1)) | {"setting_of_another_version": 1}
    del given["redis_prefix"]
    again = taken(given)
    assert (again.port, again.redis_prefix) == (1, Settings().redis_prefix)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:hunter2@db:5433/draw?password=hunter2", "postgresql db:5433/draw"),
        ("postgres://db/draw", "postgresql db/draw"),
        ("sqlite:///codraw.db", "sqlite codraw.db"),
        ("postgresql://[::1]:5433/draw", "postgresql [::1]:5433/draw"),
        # what should have been written in percents
        ("postgresql://ann:hun/ter2@db/draw", "postgresql (hidden)"),
        ("postgresql://ann:hun#ter2@db/draw", "postgresql (hidden)"),
        ("postgresql://ann:hun?ter2@db/draw", "postgresql (hidden)"),
        ("postgresql://ann:hun[ter2@db/draw", "postgresql (hidden)"),
        ("postgresql://ann:hun@ter2@db/draw", "postgresql db/draw"),
        ("postgresql://ann:hun@te/r2@db/draw", "postgresql (hidden)"),
    ],
)
def test_a_place_is_named_without_credentials(url: str, shown: str) -> None:
    assert Settings(store_url=url).store_place == shown


def test_the_bus_is_named_without_credentials() -> None:
    assert Settings(store_url="postgresql://db/x", redis_url="redis://:hunter2@news:1/0").bus_place == "redis news:1/0"
    assert Settings(redis_url="redis://news").bus_place == "memory"


def test_an_unknown_name_is_reported_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_ALOWED_ORIGINS", "https://a.org")
    assert unknown_names() == {"CODRAW_ALOWED_ORIGINS": "CODRAW_ALLOWED_ORIGINS"}


def test_an_unknown_name_in_the_file_env_is_reported_too() -> None:
    write_env("CODRAW_XYZZY=1\nOTHER=2\n")
    assert unknown_names() == {"CODRAW_XYZZY": None}


def test_known_names_are_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODRAW_PORT", "CODRAW_SECRET_KEY_FILE", "CODRAW_TEST_CHROMIUM", "CODRAW_REQUIRE"):
        monkeypatch.setenv(name, "x")
    assert unknown_names() == {}
