"""How a command says no: a message on standard error, and an exit code."""

from __future__ import annotations

from typing import Final

import typer

BAD_INPUT: Final = 2


def refused(message: str, code: int = BAD_INPUT) -> typer.Exit:
    """To be raised: says why on standard error, and ends."""
    typer.echo(message, err=True)
    return typer.Exit(code)
