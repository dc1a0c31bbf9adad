"""Providers as operators write them down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codraw.house import provider
from codraw.oidc import providers
from codraw.settings import Settings, SettingsRefused, handed, load, taken

pytestmark = pytest.mark.usefixtures("no_settings")

CORP = {"id": "corp", "name": "Corp", "issuer": "https://login.corp.example", "client_id": "codraw"}
SECRET = "hunter2-hunter2"


def test_little_has_to_be_said() -> None:
    (corp,) = providers(json.dumps([CORP]))
    assert (corp.scopes, corp.groups_claim, corp.trust_email) == (("openid", "email", "profile"), "groups", False)
    assert corp.client_secret is None


def test_every_field_reaches_the_sign_in() -> None:
    given = {
        **CORP,
        "icon": "https://corp.example/icon.svg",
        "client_secret": SECRET,
        "scopes": ["openid", "roles"],
        "groups_claim": "realm_access.roles",
        "trust_email": True,
        "email_domains": ["@Corp.Example"],
    }
    made = provider(providers([given])[0])
    openid = made.openid
    assert openid is not None and (made.id, made.name, made.icon) == ("corp", "Corp", given["icon"])
    assert (openid.issuer, openid.client_id, openid.client_secret) == (CORP["issuer"], "codraw", SECRET)
    assert (openid.scopes, openid.groups_claim) == (("openid", "roles"), "realm_access.roles")
    assert (openid.trusts_email, openid.email_domains) == (True, {"corp.example"})
    assert SECRET not in repr(made)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("corp", "must be a JSON list of objects"),
        ("{}", "must be a JSON list of objects"),
        ("[7]", "must be a JSON list of objects"),
        ([{**CORP, "id": "Corp"}], "entry 1, id: "),
        ([{**CORP, "id": "test"}], "entry 1, id: is a name of this server's own"),
        ([CORP, {**CORP, "id": "tmi"}], "entry 2, id: is a name of this server's own"),
        ([CORP, CORP], "names an id twice"),
        ([{**CORP, "issuer": "login.corp.example"}], "entry 1, issuer: must be an address"),
        ([{**CORP, "issuer": "http://login.corp.example"}], "entry 1, issuer: must start with https://"),
        ([{**CORP, "issuer": "https://ana:x@login.corp.example"}], "entry 1, issuer: must be an address"),
        ([{**CORP, "issuer": "https://login.corp.example/?a"}], "entry 1, issuer: must be an address"),
        ([{**CORP, "scopes": ["email"]}], "entry 1, scopes: must contain openid"),
        ([{**CORP, "client_secrets": SECRET}], "entry 1, client_secrets: extra"),
        ([{"id": "corp"}], "entry 1, name: field required"),
        ([{**CORP, "client_secret": ""}], "entry 1, client_secret: is empty"),
        ([{**CORP, "client_secret_file": "/dev/null"}], "entry 1, client_secret: is empty"),
        ([{**CORP, "client_secret_file": "nowhere"}], "entry 1, client_secret_file: names a file"),
        ([{**CORP, "client_secret_file": 7}], "entry 1, client_secret_file: names a file"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_its_value(given: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + sentence.replace("(", r"\(")) as refused:
        providers(given if isinstance(given, str) else json.dumps(given))
    assert SECRET not in str(refused.value)


def test_a_refusal_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODRAW_OIDC_PROVIDERS", json.dumps([{**CORP, "issuer": "http://x"}]))
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert refused.value.sentences == ["CODRAW_OIDC_PROVIDERS entry 1, issuer: must start with https://."]


def test_the_list_may_stand_in_a_file_and_each_secret_in_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    entry = {**CORP, "client_secret_file": str(tmp_path / "secret")}
    (tmp_path / "providers.json").write_text(json.dumps([entry]))
    monkeypatch.setenv("CODRAW_OIDC_PROVIDERS_FILE", str(tmp_path / "providers.json"))
    (corp,) = load().oidc_providers
    assert corp.client_secret is not None and corp.client_secret.get_secret_value() == SECRET


def test_workers_get_the_providers_with_their_secrets() -> None:
    settings = Settings(oidc_providers=json.dumps([{**CORP, "client_secret": SECRET}]))
    assert SECRET not in repr(settings)
    again = taken(json.loads(json.dumps(handed(settings))))
    assert provider(again.oidc_providers[0]) == provider(settings.oidc_providers[0])
