"""`scriptorium`: run it all, run one service, write a document from the terminal."""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from services.cli.configuration import config_file, missing_keys, read_settings, refused
from services.cli.health import Part, ailing
from services.cli.house import House, HouseError, Options
from services.cli.nats_config import PASSWORD, bad_passwords, nats_config, new_passwords
from services.cli.up import up
from services.cli.write import write

WRITERS_MAX = 64
FAILED = 1

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
Service = Literal["gateway", "conductor", "planner", "ingester", "writer", "simulator"]
SERVICES: tuple[Service, ...] = get_args(Service)
WITH_OPTIONS: frozenset[Service] = frozenset({"gateway", "simulator"})
"""They read options of their own."""

ConfigOption = Annotated[
    Path | None, typer.Option("--config", exists=True, dir_okay=False, help="A scriptorium.toml.", metavar="FILE")
]


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
def run_up(  # noqa: PLR0913, PLR0917 -- the command's options, as typer reads them
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="The page's port, 8080 by default; 0: a free one.")
    ] = None,
    writers: Annotated[int, typer.Option(min=1, max=WRITERS_MAX, help="Writer processes.")] = 2,
    data: Annotated[Path, typer.Option(file_okay=False, help="Where everything is kept.")] = Path("data"),
    config: ConfigOption = None,
    nats: Annotated[str | None, typer.Option(help="Use this server instead of an own one.", metavar="URL")] = None,
    simulator: Annotated[
        bool | None, typer.Option(help="Start the simulator; by default where no other model is configured.")
    ] = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            help="Let control rooms turn the simulator's dials, and kill and freeze services; "
            "by default where bus and model are this command's own."
        ),
    ] = None,
) -> None:
    """Run everything: nats-server, the services and, with no model configured, the simulator."""
    file = config_file(config)
    settings = read_settings(file)
    for line in missing_keys(settings):
        typer.echo(line, err=True)
    try:
        house = House(Options(port, writers, data, file, nats, simulator, demo), settings)
    except HouseError as error:
        raise refused(str(error)) from None
    with house:
        raise typer.Exit(asyncio.run(up(house)))


app.command("write")(write)


def _service(name: Service) -> None:
    extra = name in WITH_OPTIONS

    def command(context: typer.Context) -> None:
        read_settings(config_file(None))
        sys.argv = [f"scriptorium {name}", *context.args]
        runpy.run_module(f"services.{name}", run_name="__main__")

    own_help: list[str] = [] if extra else ["--help"]
    app.command(
        name,
        help=f"Run one {name} alone, with the settings of the environment.",
        context_settings={"allow_extra_args": extra, "ignore_unknown_options": extra, "help_option_names": own_help},
    )(command)


for _name in SERVICES:
    _service(_name)


@app.command("health")
def health(
    service: Annotated[
        Part, typer.Argument(help="One that runs on this machine, with the settings of the environment.")
    ],
) -> None:
    """Say whether a service is well: exit code 0 or 1."""
    wrong = ailing(service, read_settings(config_file(None)))
    if wrong is not None:
        raise refused(wrong, FAILED)
    typer.echo(f"{service} is well")


@app.command("nats-config")
def print_nats_config(
    listen: Annotated[str, typer.Option(help="Where the server listens.", metavar="HOST:PORT")] = "127.0.0.1:4222",
    store: Annotated[Path, typer.Option(file_okay=False, help="Where it keeps its streams.")] = Path("data/nats"),
) -> None:
    """Print nats-server's configuration: users, what each may do, limits. The passwords stay in the environment."""
    wrong = bad_passwords(os.environ)
    if wrong:
        lines = [f"  {name}" for name in wrong]
        reason = f"Not set, or not of the form {PASSWORD.pattern} (`scriptorium passwords` makes some):"
        raise refused("\n".join([reason, *lines]))
    typer.echo(nats_config(listen, str(store)), nl=False)


@app.command("passwords")
def print_passwords() -> None:
    """Print a new password for each of the bus's users, as lines of an environment file."""
    for name, password in new_passwords().items():
        typer.echo(f"{name}={password}")


def run() -> None:
    """The entry point."""
    app()
