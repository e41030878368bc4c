"""Commands that run the house, or a part of it. Loaded when one of them is asked for: whoever only asks a gateway need not wait."""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from typing import NoReturn

import typer

from services.cli.configuration import config_file, missing_keys, read_settings, watched_folders
from services.cli.health import ailing
from services.cli.house import House, HouseError, Options
from services.cli.nats_config import PASSWORD, bad_passwords, nats_config, new_passwords
from services.cli.options import Part
from services.cli.refused import refused
from services.cli.up import up

FAILED = 1


def run_up(options: Options, watch: list[str]) -> NoReturn:
    """Everything. `watch` are folders that documents may follow, as `NAME=FOLDER`."""
    folders = watched_folders(watch)
    file = config_file(options.config)
    settings = read_settings(file)
    for line in missing_keys(settings):
        typer.echo(line, err=True)
    try:
        house = House(options._replace(config=file, watch=folders), settings)
    except HouseError as error:
        raise refused(str(error)) from None
    with house:
        raise typer.Exit(asyncio.run(up(house)))


def run_service(name: str, arguments: list[str]) -> None:
    """One service, in this process."""
    read_settings(config_file(None))
    sys.argv = [f"scriptorium {name}", *arguments]
    runpy.run_module(f"services.{name}", run_name="__main__")


def run_health(service: Part) -> None:
    """Whether it is well."""
    wrong = ailing(service, read_settings(config_file(None)))
    if wrong is not None:
        raise refused(wrong, FAILED)
    typer.echo(f"{service} is well")


def print_nats_config(listen: str, store: str) -> None:
    """The bus's configuration."""
    wrong = bad_passwords(os.environ)
    if wrong:
        lines = [f"  {name}" for name in wrong]
        reason = f"Not set, or not of the form {PASSWORD.pattern} (`scriptorium passwords` makes some):"
        raise refused("\n".join([reason, *lines]))
    typer.echo(nats_config(listen, store), nl=False)


def print_passwords() -> None:
    """A new one for each of the bus's users."""
    for name, password in new_passwords().items():
        typer.echo(f"{name}={password}")
