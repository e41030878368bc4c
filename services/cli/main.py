"""`scriptorium`: run it all, run one service, write a document from the terminal."""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from services.cli import write as writing
from services.cli.up import Options, up
from services.shared.settings import CONFIG_VARIABLE, Settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
SERVICES = ("gateway", "conductor", "planner", "ingester", "writer", "simulator")
BAD_INPUT = 2

ConfigOption = Annotated[
    Path | None, typer.Option("--config", exists=True, dir_okay=False, help="A scriptorium.toml.", metavar="FILE")
]


def _fail(message: str, code: int = BAD_INPUT) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


def _settings(config: Path | None) -> Settings:
    """Read and check them before anything is started."""
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config.resolve())
    try:
        return Settings().resolved()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise _fail("\n".join([f"The settings are not right ({config or 'environment'}):", *lines])) from None
    except (SettingsError, ValueError) as error:
        msg = f"The settings cannot be read ({config or 'environment'}): {error}"
        raise _fail(msg) from None


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(version("scriptorium"))
        raise typer.Exit


@app.callback()
def scriptorium(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Living documents, written in parallel by language models."""


@app.command("up")
def run_up(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The page's port; 0: a free one.")] = 8080,
    writers: Annotated[int, typer.Option(min=1, max=64, help="Writer processes.")] = 2,
    data: Annotated[Path, typer.Option(file_okay=False, help="Where everything is kept.")] = Path("data"),
    config: ConfigOption = None,
    nats: Annotated[str | None, typer.Option(help="Use this server instead of an own one.", metavar="URL")] = None,
) -> None:
    """Run everything: nats-server, the services, and, with no model configured, the simulator."""
    settings = _settings(config)
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"--data {data}: {error.strerror}"
        raise _fail(msg) from None
    raise typer.Exit(asyncio.run(up(Options(port, writers, data, config, nats), settings)))


app.command("write")(writing.write)


def _service(name: str) -> None:
    def command(context: typer.Context) -> None:
        sys.argv = [f"scriptorium {name}", *context.args]
        runpy.run_module(f"services.{name}", run_name="__main__", alter_sys=False)

    app.command(
        name,
        help=f"Run one {name} alone, with the settings of the environment.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    )(command)


for _name in SERVICES:
    _service(_name)


def run() -> None:
    """The entry point."""
    app()
