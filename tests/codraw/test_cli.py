"""The command line: what it refuses, what it shows, what it hides, how it exits."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner, Result

from codraw import __version__
from codraw.cli import cli
from codraw.local_stores import free_port
from codraw.settings import Settings, load, variable
from codraw.stores import open_store
from protocol.values import DiagramId
from tests.contracts.worlds import ANA, SqlWorld, caller
from tests.support.drawn import draw
from tests.support.oidc_provider import OidcProvider
from tests.support.servers import Server

pytestmark = pytest.mark.usefixtures("no_settings")

SECRET = "n0t-a-default:9f2c41d7e8b35a60c1d2"


def codraw(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, words, env=variables)


def test_it_says_its_version() -> None:
    assert codraw("--version").output == f"codraw {__version__}\n"


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        (("--workers", "2"), ["More than one worker needs PostgreSQL and Redis: "]),
        (("--store", "mysql://db/codraw"), ["CODRAW_STORE_URL must look like"]),
        (("--workers", "2", "--store", "mysql://db"), ["More than one worker needs", "CODRAW_STORE_URL must"]),
    ],
)
def test_serve_refuses_with_one_sentence_per_reason(
    no_settings: Path, words: tuple[str, ...], reasons: list[str]
) -> None:
    result = codraw("serve", "--dev", *words)
    assert (result.exit_code, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert len(lines) == len(reasons)
    assert all(f"error: {reason}" in line for reason, line in zip(reasons, lines, strict=True))
    assert list(no_settings.iterdir()) == []


def test_serve_refuses_where_it_cannot_keep_its_secret(no_settings: Path) -> None:
    (no_settings / "file").touch()
    result = codraw("serve", "--dev", "--store", "sqlite:///file/data/codraw.db")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: The secret cannot be kept in file/data/codraw.secret (Not a directory).\n"


def test_a_wrong_option_is_wrong_use() -> None:
    assert codraw("serve", "--prot", "1").exit_code == 2


def test_an_unreadable_setting_refuses_every_command() -> None:
    result = codraw("config", CODRAW_PORT="x")
    assert result.exit_code == 1 and result.stderr.startswith("error: CODRAW_PORT should be")


def test_check_of_sound_settings_is_good() -> None:
    result = codraw("check", CODRAW_SECRET_KEY=SECRET, CODRAW_PUBLIC_URL="https://draw.example.org")
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: Nobody can sign in") and result.stderr.count("\n") == 1


def test_check_asks_the_providers() -> None:
    corp = {"id": "corp", "name": "Corp", "client_id": "codraw", "client_secret": SECRET}
    with OidcProvider() as idp:
        given = json.dumps([{**corp, "issuer": idp.issuer}])
        result = codraw("check", "--dev", CODRAW_OIDC_PROVIDERS=given)
        assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"sign-in   ok  corp: {idp.issuer}")
        idp.metadata = {"issuer": "http://localhost/other"}
        result = codraw("check", "--dev", CODRAW_OIDC_PROVIDERS=given)
    assert result.exit_code == 1 and "sign-in   degraded  corp: it calls itself" in result.stdout
    assert SECRET not in result.output


def test_config_shows_providers_without_what_they_share_with_us() -> None:
    corp = {
        "id": "corp",
        "name": "Corp",
        "client_id": "codraw",
        "client_secret": SECRET,
        "issuer": "https://login.test",
    }
    for form in ((), ("--env",)):
        output = codraw("config", *form, CODRAW_OIDC_PROVIDERS=json.dumps([corp])).output
        assert SECRET not in output and "CODRAW_OIDC_PROVIDERS" in output


def test_check_names_what_is_wrong() -> None:
    result = codraw("check")
    assert result.exit_code == 1 and "CODRAW_SECRET_KEY is not set" in result.stderr


def test_check_tells_what_signs_tokens() -> None:
    assert "tokens are signed with HS256" in codraw("check", "--dev").stdout


def test_an_unknown_name_warns_and_does_not_fail() -> None:
    result = codraw("check", "--dev", CODRAW_PROT="1")
    assert result.exit_code == 0
    assert result.stderr == "warning: CODRAW_PROT is not a setting; did you mean CODRAW_PORT?\n"


def test_config_shows_each_setting_with_its_source() -> None:
    row = next(line for line in codraw("config", CODRAW_PORT="81").output.splitlines() if "CODRAW_PORT" in line)
    assert row.split() == ["CODRAW_PORT", "81", "environment"]


@pytest.mark.parametrize("form", [(), ("--env",)])
def test_config_hides_secrets(form: tuple[str, ...]) -> None:
    output = codraw("config", *form, CODRAW_SECRET_KEY=SECRET, CODRAW_STORE_URL="postgresql://ann:hunter2@db/x").output
    assert SECRET not in output and "hunter2" not in output and "ann:hidden@db/x" in output


def test_config_hides_a_former_secret_too() -> None:
    for form in ((), ("--env",)):
        assert SECRET not in codraw("config", *form, CODRAW_SECRET_KEY_PREVIOUS=SECRET).output


def test_a_password_behind_the_question_mark_is_hidden_too() -> None:
    output = codraw(
        "config", "--env", CODRAW_STORE_URL="postgresql://db/x?user=ann&password=hunter2&sslmode=require"
    ).output
    assert "hunter2" not in output and "password=hidden&sslmode=require" in output


def test_the_password_of_a_key_is_hidden_too() -> None:
    urls = ("postgresql://db/x?sslpassword=hunter2", "rediss://news/0?ssl_password=hunter2")
    output = codraw("config", "--env", CODRAW_STORE_URL=urls[0], CODRAW_REDIS_URL=urls[1]).output
    assert "hunter2" not in output
    assert "sslpassword=hidden" in output and "ssl_password=hidden" in output


def test_the_printed_env_is_one_that_can_be_read(tmp_path: Path) -> None:
    text = codraw("config", "--env").output
    (tmp_path / ".env").write_text("\n".join(line.replace("#CODRAW", "CODRAW") for line in text.splitlines()))
    assert load() == Settings()
    assert all(variable(field) in text for field in Settings.model_fields)


# check ----------------------------------------------------------------------------------------------------------------


def test_check_says_what_it_looked_at(no_settings: Path) -> None:
    result = codraw("check", "--dev")
    assert result.exit_code == 0
    parts = ("settings", "secret", "packages", "store", "schema", "bus", "clock")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [[part, "ok"] for part in parts]
    assert (no_settings / "codraw.db").is_file()


def test_check_names_a_store_that_another_process_uses(server: Server) -> None:
    result = codraw("check", "--dev", CODRAW_STORE_URL=f"sqlite:///{server.store}")
    assert result.exit_code == 1 and "in use by another process" in result.stderr


def test_check_looks_at_postgresql_and_redis_and_names_no_password(postgres_url: str, redis_url: str) -> None:
    given = ("--dev", "--workers", "2", "--store", f"{postgres_url}?password=hunter2", "--redis", redis_url)
    result = codraw("check", *given)
    assert (result.exit_code, result.stderr) == (0, "") and "hunter2" not in result.output
    found = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert found["store"][:2] == ["ok", "postgresql"] and found["bus"][:2] == ["ok", "redis"]
    assert found["clock"][0] == found["schema"][0] == "ok" and found["workers"][:2] == ["ok", "0"]


def test_check_fails_where_a_store_or_a_bus_is_away(postgres_url: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    away = codraw("check", "--dev", "--store", f"postgresql://ann:hunter2@{nowhere}/x")
    assert away.exit_code == 1 and "hunter2" not in away.output and len(away.stderr.splitlines()) == 1
    deaf = codraw("check", "--dev", "--store", postgres_url, "--redis", f"redis://:hunter2@{nowhere}/0")
    assert deaf.exit_code == 1 and f"bus       degraded  redis {nowhere}/0" in deaf.stdout
    assert "hunter2" not in deaf.output


def test_verify_looks_into_postgresql(postgres_url: str) -> None:
    assert codraw("verify", "--store", postgres_url).stdout == "0 diagrams, 0 findings\n"


# token ----------------------------------------------------------------------------------------------------------------


def test_a_printed_token_is_accepted(server: Server) -> None:
    result = codraw("token", "--user", "alice", "--url", server.http)
    assert (result.exit_code, result.stderr) == (0, "")
    own = {"Authorization": f"Bearer {result.stdout.strip()}"}
    assert httpx2.get(f"{server.http}/me", headers=own).json()["provider_id"] == "alice"


def test_without_a_server_there_is_no_token() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = codraw("token", "--user", "alice", "--url", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {url} does not answer") and len(result.stderr.splitlines()) == 1


def test_a_token_is_somebodys() -> None:
    assert codraw("token").exit_code == 2


# verify ---------------------------------------------------------------------------------------------------------------


DIAGRAMS = (DiagramId("one"), DiagramId("two"))


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """The address of a store of two diagrams, which have three operations each."""

    async def fill() -> None:
        database = await open_store(load({"store_url": url}))
        await draw(SqlWorld(database), *DIAGRAMS)
        await database.close()

    url = f"sqlite:///{tmp_path}/kept.db"
    asyncio.run(fill())
    return url


def damage(url: str) -> None:
    """An operation of the second diagram is lost."""

    async def spoil() -> None:
        database = await open_store(load({"store_url": url}))
        number = f"(SELECT number FROM diagram_head WHERE id = '{DIAGRAMS[1]}')"
        sql = f"DELETE FROM diagram_op WHERE vector = 2 AND diagram = {number}"
        assert await database.transaction(lambda tx: tx.execute(sql)) == 1
        await database.close()

    asyncio.run(spoil())


def test_verify_of_a_sound_store_is_good(stored: str) -> None:
    result = codraw("verify", "--store", stored)
    assert (result.exit_code, result.stdout) == (0, "2 diagrams, 0 findings\n")


def test_verify_names_damage_and_fails(stored: str) -> None:
    damage(stored)
    result = codraw("verify", "--store", stored)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "diagram two at vector 2: is missing in the log, which goes on with 3",
        "2 diagrams, 1 findings",
    ]


def test_verify_looks_at_one_diagram_where_one_is_named(stored: str) -> None:
    damage(stored)
    assert codraw("verify", "one", "--store", stored).exit_code == 0
    assert codraw("verify", "two", "--store", stored).exit_code == 1
    unknown = codraw("verify", "three", "--store", stored)
    assert unknown.exit_code == 1 and "diagram three: is unknown or deleted" in unknown.stdout


# admin ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(tmp_path: Path) -> str:
    """The address of a store in which ana of the test provider is signed in."""

    async def sign_in() -> None:
        world = SqlWorld(await open_store(load({"store_url": url})))
        await world.accounts.remember(caller(ANA))
        assert await world.accounts.start_login("login", caller(ANA, sid="login"))
        await world.database.close()

    url = f"sqlite:///{tmp_path}/known.db"
    asyncio.run(sign_in())
    return url


def ended(url: str) -> bool:
    async def read() -> bool:
        world = SqlWorld(await open_store(load({"store_url": url})))
        found = await world.accounts.ended("login")
        await world.database.close()
        return found

    return asyncio.run(read())


@pytest.mark.parametrize("person", ["test:ana", "tmi:ana"])
def test_AU12_somebody_is_locked_out_and_let_in_again(known: str, person: str) -> None:
    assert not ended(known)
    result = codraw("admin", "disable-user", person, "--store", known)
    assert (result.exit_code, result.stdout) == (0, f"{person} is disabled\n")
    assert ended(known)
    result = codraw("admin", "enable-user", person, "--store", known)
    assert (result.exit_code, result.stdout) == (0, f"{person} is enabled\n")
    assert ended(known)


def test_AU12_somebody_is_locked_out_of_a_running_server(postgres_url: str, tmp_path: Path) -> None:
    with Server(tmp_path, store_url=postgres_url) as server:
        token = codraw("token", "--user", "alice", "--url", server.http).stdout.strip()
        own = {"Authorization": f"Bearer {token}"}
        assert httpx2.get(f"{server.http}/me", headers=own).status_code == 200
        assert codraw("admin", "disable-user", "test:alice", "--store", postgres_url).exit_code == 0
        assert httpx2.get(f"{server.http}/me", headers=own).status_code == 401
        assert "refused with 403" in codraw("token", "--user", "alice", "--url", server.http).stderr


@pytest.mark.parametrize("command", ["disable-user", "enable-user"])
def test_nobody_else_is_locked_out_or_let_in(known: str, tmp_path: Path, command: str) -> None:
    unknown = codraw("admin", command, "other:ana", "--store", known)
    assert (unknown.exit_code, unknown.stderr) == (1, "error: Nobody has signed in as other:ana yet.\n")
    for person in ("ana", ":ana", "test:"):
        assert codraw("admin", command, person, "--store", known).exit_code == 2
    missing = codraw("admin", command, "test:ana", "--store", f"sqlite:///{tmp_path}/none.db")
    assert missing.exit_code == 1 and missing.stderr.startswith("error: There is no store ")
    assert not ended(known)


def epochs(url: str) -> list[str]:
    async def read() -> list[str]:
        database = await open_store(load({"store_url": url}))
        rows = await database.fetch("SELECT epoch FROM diagram_head ORDER BY number")
        await database.close()
        return [epoch for (epoch,) in rows]

    return asyncio.run(read())


def test_new_epochs_begin_for_all_or_for_those_named(stored: str) -> None:
    before = epochs(stored)
    result = codraw("admin", "new-epoch", "--all", "--store", stored)
    assert (result.exit_code, result.stdout) == (0, "2 diagrams have a new epoch\n")
    between = epochs(stored)
    assert not set(between) & set(before)
    assert codraw("admin", "new-epoch", "two", "--store", stored).stdout == "1 diagrams have a new epoch\n"
    after = epochs(stored)
    assert (after[0] == between[0], after[1] == between[1]) == (True, False)
    assert codraw("verify", "--store", stored).exit_code == 0


def test_no_new_epoch_for_a_diagram_that_is_not_there_nor_without_a_name(stored: str, tmp_path: Path) -> None:
    unknown = codraw("admin", "new-epoch", "three", "--store", stored)
    assert (unknown.exit_code, unknown.stderr) == (
        1, "error: Diagram three has none: it is unknown, deleted or damaged.\n"
    )  # fmt: skip
    assert codraw("admin", "new-epoch", "--store", stored).exit_code == 2
    assert codraw("admin", "new-epoch", "one", "--all", "--store", stored).exit_code == 2
    missing = codraw("admin", "new-epoch", "--all", "--store", f"sqlite:///{tmp_path}/none.db")
    assert missing.exit_code == 1 and missing.stderr.startswith("error: There is no store ")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:///nowhere.db", "There is no store sqlite:///nowhere.db."),
        ("mysql://db/codraw", "looks like sqlite:///codraw.db"),
        ("sqlite:///", "There is no store"),
    ],
)
def test_verify_of_a_store_that_is_not_there_fails_and_makes_none(no_settings: Path, url: str, why: str) -> None:
    result = codraw("verify", "--store", url)
    assert (result.exit_code, result.stdout) == (1, "") and why in result.stderr
    assert list(no_settings.iterdir()) == []


@pytest.mark.parametrize(
    "words", [("check", "--dev"), ("verify",), ("admin", "new-epoch", "--all"), ("admin", "disable-user", "test:ana")]
)
def test_a_store_that_is_away_is_named_without_its_password(words: tuple[str, ...]) -> None:
    place = f"127.0.0.1:{free_port()}/codraw"
    result = codraw(*words, "--store", f"postgresql://ann:hunter2@{place}")
    assert result.exit_code == 1 and "hunter2" not in result.output
    assert result.stderr.startswith(f"error: The store postgresql {place} cannot be used now (ConnectionRefusedError")


def test_verify_leaves_the_store_of_a_running_server_alone(server: Server) -> None:
    result = codraw("verify", "--store", f"sqlite:///{server.store}")
    assert result.exit_code == 1 and "in use by another process" in result.stderr
