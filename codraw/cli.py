"""The command `codraw`. Exit codes: 0 good, 1 failed, 2 wrong use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Column, Table

from codraw import __version__
from codraw import check as checks
from codraw import serve as server
from codraw.assets import PACKAGE
from codraw.inspection import inspected
from codraw.secret import secret_path, with_secret
from codraw.settings import Settings, SettingsRefused, load, sources, variable
from codraw.sign_in import SignInFailed, access_token
from codraw.stores import open_store
from codraw.verify import Finding
from codraw.verify import verify as verified
from collab.ports import StoreUnavailable
from protocol.values import DiagramId
from storage.accounts import SqlAccounts
from storage.database import StoreRefused
from storage.diagrams import SqlDiagrams
from storage.epochs import new_epoch
from storage.rights import ALIASES

cli = typer.Typer(
    name="codraw",
    help="Self-hosted real-time collaboration server for diagrams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

admin = typer.Typer(help="What is done to a store by hand.", no_args_is_help=True)
cli.add_typer(admin, name="admin")

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
Store = Annotated[
    str | None, typer.Option(metavar="URL", help="sqlite:///file, with four slashes absolute; or postgresql://…")
]
Redis = Annotated[str | None, typer.Option(metavar="URL", help="redis://…, carries news between workers.")]
Workers = Annotated[int | None, typer.Option(help="Number of server processes.")]
Dev = Annotated[bool, typer.Option("--dev", help="Development: a secret is made, anybody may sign in.")]
AsEnv = Annotated[bool, typer.Option("--env", help="Print a commented .env instead.")]


def main() -> None:
    cli()


@cli.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"codraw {__version__}")
        raise typer.Exit


@cli.command()
def serve(
    host: Host = None,
    port: Port = None,
    store: Store = None,
    redis: Redis = None,
    workers: Workers = None,
    dev: Dev = False,
) -> None:
    """Run the server; refuses with one sentence per reason."""
    given = {"host": host, "port": port, "store_url": store, "redis_url": redis, "workers": workers}
    settings = _load({**given, **_mode(dev)})
    _report(checks.warnings(settings), "warning")
    if found := checks.refusals(settings):
        _fail(found)
    try:
        settings = with_secret(settings)
    except SettingsRefused as refused:
        _fail(refused.sentences)
    if refusal := server.run(settings, typer.echo):
        _fail([refusal])


@cli.command()
def cluster(
    workers: Annotated[int, typer.Option(min=1, help="Number of server processes.")] = 2,
    host: Host = None,
    port: Port = None,
    folder: Annotated[Path | None, typer.Option(help="Kept, and used again; without it nothing remains.")] = None,
) -> None:
    """Run PostgreSQL, Redis and several workers on this machine for a trial; Ctrl-C ends them all."""
    try:
        # an extra: a server in earnest has neither store on board
        from codraw import cluster as trial  # noqa: PLC0415
    except ModuleNotFoundError:
        _fail(["The servers of a trial cluster are not installed: pip install codraw[cluster] brings them."])

    def judged(stores: dict[str, Any]) -> Settings:
        settings = _load({**stores, "workers": workers, "host": host, "port": port})
        _report(checks.warnings(settings), "warning")
        if found := checks.refusals(settings):
            _fail(found)
        return settings

    if refusal := trial.run(judged, folder, typer.echo):
        _fail([refusal])


@cli.command()
def check(store: Store = None, redis: Redis = None, workers: Workers = None, dev: Dev = False) -> None:
    """Look for what would keep the server from running well."""
    settings = _load({"store_url": store, "redis_url": redis, "workers": workers, **_mode(dev)})
    _report(checks.warnings(settings), "warning")
    if found := checks.refusals(settings):
        _fail(found)
    origin = "given" if settings.secret_key is not None else f"in {secret_path(settings)}, for development"
    origin += f"; tokens are signed with {checks.algorithm(settings)}"
    typer.echo(f"settings  ok\nsecret    ok  {origin}\npackages  ok  {PACKAGE.parent}")
    with _asked(settings):
        seen = asyncio.run(inspected(settings))
    for finding in seen:
        typer.echo(f"{finding.part:<9} {finding.state}  {finding.what}")
    if any(finding.state != "ok" for finding in seen):
        raise typer.Exit(1)


@cli.command()
def token(
    user: Annotated[str, typer.Option(help="Name of the test user, or an e-mail address.")],
    url: Annotated[str, typer.Option(help="The running server.")] = "http://127.0.0.1:8080",
) -> None:
    """Print an access token of a test user of a running server; in development only."""
    try:
        typer.echo(access_token(url, user))
    except SignInFailed as failed:
        _fail([str(failed)])


@cli.command()
def verify(
    diagram: Annotated[str | None, typer.Argument(help="One diagram; all by default.")] = None, store: Store = None
) -> None:
    """Replay the log and compare it with its hashes, snapshots and heads."""
    settings = _existing(store)
    with _asked(settings):
        found, looked = asyncio.run(_verified(settings, diagram))
    for finding in found:
        typer.echo(str(finding))
    typer.echo(f"{looked} diagrams, {len(found)} findings")
    if found:
        raise typer.Exit(1)


async def _verified(settings: Settings, diagram: str | None) -> tuple[list[Finding], int]:
    database = await open_store(settings)
    try:
        diagrams = SqlDiagrams(database)
        ids = await diagrams.diagrams() if diagram is None else (DiagramId(diagram),)
        return [finding for id in ids for finding in await verified(diagrams, id)], len(ids)
    finally:
        await database.close()


@admin.command("new-epoch")
def begin_epochs(
    diagram: Annotated[list[str] | None, typer.Argument(help="Diagrams by id.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every diagram of the store.")] = False,
    store: Store = None,
) -> None:
    """After a backup was played back: clients get their diagrams whole instead of going on from what was lost."""
    if bool(diagram) == all_:
        raise typer.BadParameter("name diagrams, or give --all")
    settings = _existing(store)
    with _asked(settings):
        begun = asyncio.run(_begun(settings, None if all_ else list(map(DiagramId, diagram or ()))))
    typer.echo(f"{len(begun)} diagrams have a new epoch")
    if kept := [id for id in diagram or () if id not in begun]:
        _fail([f"Diagram {id} has none: it is unknown, deleted or damaged." for id in kept])


async def _begun(settings: Settings, diagrams: list[DiagramId] | None) -> list[DiagramId]:
    database = await open_store(settings)
    try:
        return await new_epoch(database, diagrams)
    finally:
        await database.close()


Person = Annotated[str, typer.Argument(metavar="PROVIDER:ID", help="As `sub` in `GET /me`.")]


@admin.command("disable-user")
def disable_user(person: Person, store: Store = None) -> None:
    """Lock somebody out: no sign-in any more, and what is signed in ends within five seconds."""
    _switch(person, store, disabled=True)


@admin.command("enable-user")
def enable_user(person: Person, store: Store = None) -> None:
    """Let somebody in again who was locked out; they have to sign in anew."""
    _switch(person, store, disabled=False)


def _switch(person: str, store: str | None, *, disabled: bool) -> None:
    provider, colon, id = person.partition(":")
    if not (provider and colon and id):
        raise typer.BadParameter("a person is named as provider:id")
    settings = _existing(store)
    with _asked(settings):
        known = asyncio.run(_switched(settings, ALIASES.get(provider, provider), id, disabled=disabled))
    if not known:
        _fail([f"Nobody has signed in as {person} yet."])
    typer.echo(f"{person} is {'disabled' if disabled else 'enabled'}")


async def _switched(settings: Settings, provider: str, id: str, *, disabled: bool) -> bool:
    database = await open_store(settings)
    try:
        accounts = SqlAccounts(database)
        return await (accounts.disable(provider, id) if disabled else accounts.enable(provider, id))
    finally:
        await database.close()


@cli.command()
def conform(  # noqa: PLR0913, PLR0917 - one parameter is one option
    url: Annotated[str, typer.Argument(help="The running server.")] = "http://127.0.0.1:8080",
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule; may be given again.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Only this family: WS, OP, VEC …")] = None,
    dialect: Annotated[list[str] | None, typer.Option(help="classic, tmi or codraw.v1; all by default.")] = None,
    token: Annotated[list[str] | None, typer.Option(metavar="NAME=JWT", help="Instead of a test provider.")] = None,
    patience: Annotated[float, typer.Option(help="Seconds to wait for one answer.")] = 5.0,
    jobs: Annotated[int, typer.Option(min=1, help="Checks at a time.")] = 4,
    slow: Annotated[bool, typer.Option("--slow", help="Also the rules that take half a minute.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the rules instead.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the results there as well.")] = None,
) -> None:
    """Hold a running server to the rules of the protocol, from outside."""
    # the kit's libraries are no business of a server that starts
    from codraw.conform import command  # noqa: PLC0415

    if list_:
        command.list_rules(Console(soft_wrap=True))
        return
    asked = command.Asked(rule or [], family or [], dialect or [], token or [], patience, jobs, slow)
    try:
        end = command.run(url, asked, json, Console(soft_wrap=True))
    except (command.WrongUse, command.Unreachable) as wrong:
        _report([str(wrong)], "error")
        end = command.Exit.WRONG_USE
    raise typer.Exit(end)


@cli.command("load")
def load_server(  # noqa: PLR0913, PLR0917 - one parameter is one option
    url: Annotated[list[str] | None, typer.Argument(help="The running server, or each of its workers.")] = None,
    editors: Annotated[int, typer.Option(min=1, help="Simulated editors in all.")] = 20,
    diagrams: Annotated[int, typer.Option(min=1, help="Diagrams they are spread over.")] = 1,
    rate: Annotated[float, typer.Option(help="Operations a second of each editor.")] = 1.0,
    duration: Annotated[float, typer.Option(help="Seconds under load.")] = 10.0,
    scenario: Annotated[
        str, typer.Option(help="drawing, dragging, typing, cursors, join-storm, slow-readers or sessions.")
    ] = "drawing",
    dialect: Annotated[
        list[str] | None, typer.Option(help="codraw.v1, codraw.v1.msgpack, tmi or classic; several are mixed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same strokes.")] = 1,
    token: Annotated[
        list[str] | None,
        typer.Option(metavar="JWT", help="One per person, instead of a test provider; the first owns the diagrams."),
    ] = None,
    tickets: Annotated[bool, typer.Option("--tickets", help="Sockets by ticket, as browsers; else by token.")] = False,
    readers_slow: Annotated[float, typer.Option(help="Share of editors that read slowly, in slow-readers.")] = 0.1,
    jitter: Annotated[float, typer.Option(help="Seconds within which all return, in join-storm.")] = 10.0,
    ramp: Annotated[float, typer.Option(help="Editors that come in per second.")] = 200.0,
    settle: Annotated[float, typer.Option(help="Seconds that all have to agree at the end.")] = 30.0,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions that live and end, in sessions.")] = 1_000,
    padding: Annotated[int, typer.Option(help="Bytes of a note that is in every third stroke of a drawing.")] = 0,
    pid: Annotated[list[int] | None, typer.Option(help="A server process of this machine to watch.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the threat model behind.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the results there as well.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write them there as a page with pictures.")] = None,
) -> None:
    """Load a running server with simulated editors; 1 if anything was lost, doubled or out of order."""
    try:
        from codraw.load import command  # noqa: PLC0415 - its libraries are an extra
    except ImportError:
        _report(["codraw load needs more libraries: pip install 'codraw[load]'."], "error")
        raise typer.Exit(2) from None
    try:
        plan = command.plan(
            url, editors=editors, diagrams=diagrams, rate=rate, duration_s=duration, scenario=scenario,
            dialects=dialect, seed=seed, tokens=token, tickets=tickets, slow=readers_slow, jitter_s=jitter, ramp=ramp,
            settle_s=settle, sessions=sessions, padding=padding, pids=pid, keep=keep,
        )  # fmt: skip
        end = command.run(plan, Console(soft_wrap=True), json, report)
    except (command.WrongUse, command.Unready) as wrong:
        _report([str(wrong)], "error")
        end = command.Exit.WRONG_USE
    raise typer.Exit(end)


@cli.command()
def config(dev: Dev = False, env: AsEnv = False) -> None:
    """Show the settings in force and where each comes from; secrets stay hidden."""
    given = _mode(dev)
    settings = _load(given)
    if env:
        typer.echo(_as_env(settings))
        return
    table = Table("setting", Column("value", overflow="fold"), "from", box=None, pad_edge=False)
    for field, source in sources(given).items():
        table.add_row(variable(field), shown(settings, field), source)
    Console(soft_wrap=True).print(table)


def shown(settings: Settings, field: str) -> str:
    value = getattr(settings, field)
    if isinstance(value, SecretStr):
        return "hidden"
    if field == "min_node_size":
        return "{}x{}".format(*value)
    if field == "oidc_providers":
        return ",".join(provider.id for provider in value)
    if field in ("store_url", "redis_url") and value:
        return _without_password(value)
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value if value is not None else "")


def _without_password(url: str) -> str:
    url = re.sub(r"([?&]\w*password=)[^&]+", r"\1hidden", url)
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user = login.partition(":")[0]
    return f"{scheme}{mark}{user}:hidden{at}{place}" if ":" in login else url


def _as_env(settings: Settings) -> str:
    lines = ["# Every setting of codraw; a line that starts with # has no effect.", ""]
    for field, info in Settings.model_fields.items():
        lines += [f"# {info.description}"] if info.description else []
        hidden = isinstance(getattr(settings, field), SecretStr) or field == "oidc_providers"
        value = "" if hidden else shown(settings, field)
        lines.append(f"#{variable(field)}={value}")
    return "\n".join(lines)


def _mode(dev: bool) -> dict[str, Any]:
    return {"mode": "development"} if dev else {}


def _existing(store: str | None) -> Settings:
    """A file that is not there would be made."""
    settings = _load({"store_url": store})
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        _fail([f"There is no store {settings.store_url}."])
    return settings


@contextmanager
def _asked(settings: Settings) -> Iterator[None]:
    try:
        yield
    except StoreRefused as refused:
        _fail([str(refused)])
    except StoreUnavailable as away:
        _fail([f"The store {settings.store_place} cannot be used now ({away})."])


def _load(given: dict[str, Any]) -> Settings:
    try:
        return load(given)
    except SettingsRefused as refused:
        _fail(refused.sentences)


def _report(sentences: list[str], word: str) -> None:
    for sentence in sentences:
        typer.echo(f"{word}: {sentence}", err=True)


def _fail(sentences: list[str]) -> NoReturn:
    _report(sentences, "error")
    raise typer.Exit(1)
