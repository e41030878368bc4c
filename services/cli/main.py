"""`scriptorium`: all that the page can do, from the terminal; and what runs it: all of it, or one service."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, get_args

import typer

from services.cli import editing, library, looking, options, sharing, sources, tables, watches
from services.cli.exporting import export
from services.cli.write import estimate, write

WRITERS_MAX = 64

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
SERVICES: tuple[options.Service, ...] = get_args(options.Service)
WITH_OPTIONS: frozenset[options.Service] = frozenset({"gateway", "simulator"})
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


def _panel(panel: str, **commands: Callable[..., None]) -> None:
    """Commands under one heading of the help, in this order; an underscore is a hyphen."""
    for name, command in commands.items():
        app.command(name.replace("_", "-"), rich_help_panel=panel)(command)


_panel(options.WRITING, write=write, estimate=estimate, watch=looking.watch, stop=looking.stop, resume=looking.resume)
_panel(options.LOOKING, list=library.list_documents, show=looking.show, history=looking.history)
_panel(
    options.CHANGING,
    edit=editing.edit,
    rewrite=editing.rewrite,
    accept=editing.accept,
    decline=editing.decline,
    lock=editing.lock,
    unlock=editing.unlock,
    update=editing.update,
)
_panel(
    options.SOURCES,
    table=tables.table,
    add_source=sources.add_source,
    replace_source=sources.replace_source,
    remove_source=sources.remove_source,
    watches=watches.watches,
)
_panel(
    options.LIBRARY,
    export=export,
    share=sharing.share,
    remember=sharing.remember,
    duplicate=library.duplicate,
    delete=library.delete,
    templates=library.templates,
)


@app.command("up", rich_help_panel=options.RUNNING)
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
    watch: Annotated[
        list[str] | None,
        typer.Option(help="A folder that documents may follow, by this name; may be repeated.", metavar="NAME=FOLDER"),
    ] = None,
) -> None:
    """Run everything: nats-server, the services and, with no model configured, the simulator."""
    from services.cli.house import Options  # noqa: PLC0415 -- see services/cli/running.py
    from services.cli.running import run_up as run  # noqa: PLC0415

    run(Options(port, writers, data, config, nats, simulator, demo), watch or [])


def _service(name: options.Service) -> None:
    extra = name in WITH_OPTIONS

    def command(context: typer.Context) -> None:
        from services.cli.running import run_service  # noqa: PLC0415

        run_service(name, context.args)

    own_help: list[str] = [] if extra else ["--help"]
    app.command(
        name,
        rich_help_panel=options.RUNNING,
        help=f"Run one {name} alone, with the settings of the environment.",
        context_settings={"allow_extra_args": extra, "ignore_unknown_options": extra, "help_option_names": own_help},
    )(command)


for _name in SERVICES:
    _service(_name)


@app.command("health", rich_help_panel=options.RUNNING)
def health(
    service: Annotated[
        options.Part, typer.Argument(help="One that runs on this machine, with the settings of the environment.")
    ],
) -> None:
    """Say whether a service is well: exit code 0 or 1."""
    from services.cli.running import run_health  # noqa: PLC0415

    run_health(service)


@app.command("nats-config", rich_help_panel=options.RUNNING)
def print_nats_config(
    listen: Annotated[str, typer.Option(help="Where the server listens.", metavar="HOST:PORT")] = "127.0.0.1:4222",
    store: Annotated[Path, typer.Option(file_okay=False, help="Where it keeps its streams.")] = Path("data/nats"),
) -> None:
    """Print nats-server's configuration: users, what each may do, limits. The passwords stay in the environment."""
    from services.cli import running  # noqa: PLC0415

    running.print_nats_config(listen, str(store))


@app.command("passwords", rich_help_panel=options.RUNNING)
def print_passwords() -> None:
    """Print a new password for each of the bus's users, as lines of an environment file."""
    from services.cli import running  # noqa: PLC0415

    running.print_passwords()


def run() -> None:
    """The entry point."""
    app()
