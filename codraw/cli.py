"""The command `codraw`. Exit codes: 0 good, 1 failed, 2 wrong use."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from codraw import __version__
from codraw import check as checks
from codraw import serve as server
from codraw.secret import with_secret
from codraw.settings import Settings, SettingsRefused, load, sources, variable

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
    _report(checks.warnings(), "warning")
    if found := checks.refusals(settings):
        _fail(found)
    server.run(with_secret(settings), typer.echo)


@cli.command()
def check(dev: Dev = False) -> None:
    """Look for what would keep the server from running well."""
    settings = _load(_mode(dev))
    _report(checks.warnings(), "warning")
    if found := checks.refusals(settings):
        _fail(found)
    typer.echo("settings  ok")


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
