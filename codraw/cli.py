"""The command `codraw`. Exit codes: 0 good, 1 failed, 2 wrong use."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from codraw import __version__
from codraw import check as checks
from codraw import serve as server
from codraw.assets import PACKAGE
from codraw.house import open_store
from codraw.secret import with_secret
from codraw.settings import Settings, SettingsRefused, load, sources, variable
from codraw.sign_in import SignInFailed, access_token
from codraw.verify import Finding
from codraw.verify import verify as verified
from collab.ports import StoreUnavailable
from protocol.values import DiagramId
from storage.database import StoreRefused
from storage.diagrams import SqlDiagrams

cli = typer.Typer(
    name="codraw",
    help="Self-hosted real-time collaboration server for diagrams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
Store = Annotated[str | None, typer.Option(metavar="URL", help="sqlite:///file, with four slashes absolute.")]
Redis = Annotated[str | None, typer.Option(metavar="URL", help="Carries news between workers.")]
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
    if refusal := server.run(with_secret(settings), typer.echo):
        _fail([refusal])


@cli.command()
def check(dev: Dev = False) -> None:
    """Look for what would keep the server from running well."""
    settings = _load(_mode(dev))
    _report(checks.warnings(settings), "warning")
    if found := checks.refusals(settings):
        _fail(found)
    typer.echo("settings  ok")
    try:
        asyncio.run(_opened(settings))
    except StoreRefused as refused:
        _fail([str(refused)])
    typer.echo(f"store     ok  {settings.store_url}")
    typer.echo(f"packages  ok  {PACKAGE.parent}")


async def _opened(settings: Settings) -> None:
    await (await open_store(settings)).close()


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
    settings = _load({"store_url": store})
    if settings.sqlite_path is not None and not settings.sqlite_path.is_file():
        _fail([f"There is no store {settings.store_url}."])
    try:
        found, looked = asyncio.run(_verified(settings, diagram))
    except (StoreRefused, StoreUnavailable) as refused:
        _fail([str(refused)])
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


@cli.command()
def config(dev: Dev = False, env: AsEnv = False) -> None:
    """Show the settings in force and where each comes from; secrets stay hidden."""
    given = _mode(dev)
    settings = _load(given)
    if env:
        typer.echo(_as_env(settings))
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for field, source in sources(given).items():
        table.add_row(variable(field), shown(settings, field), source)
    Console(soft_wrap=True).print(table)


def shown(settings: Settings, field: str) -> str:
    value = getattr(settings, field)
    if field == "secret_key":
        return "hidden" if value else ""
    if field == "min_node_size":
        return "{}x{}".format(*value)
    if field in ("store_url", "redis_url") and value:
        return _without_password(value)
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value if value is not None else "")


def _without_password(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user = login.partition(":")[0]
    return f"{scheme}{mark}{user}:hidden{at}{place}" if ":" in login else url


def _as_env(settings: Settings) -> str:
    lines = ["# Every setting of codraw; a line that starts with # has no effect.", ""]
    for field, info in Settings.model_fields.items():
        lines += [f"# {info.description}"] if info.description else []
        value = "" if field == "secret_key" else shown(settings, field)
        lines.append(f"#{variable(field)}={value}")
    return "\n".join(lines)


def _mode(dev: bool) -> dict[str, Any]:
    return {"mode": "development"} if dev else {}


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
