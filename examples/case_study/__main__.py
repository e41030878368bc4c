"""`python -m examples.case_study streaming`: the start state of an exercise, and the simulator as its model, until Ctrl-C.

With `--solution` the worked solution, with `--check` what the exercise demands of either.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from enum import StrEnum
from types import ModuleType
from typing import Annotated

import typer

from examples.case_study.house import checked, serving, simulated
from examples.case_study.structures.check import check as check_board


class Exercise(StrEnum):
    """The four of them."""

    METADATA = "metadata"
    STREAMING = "streaming"
    CANCELLING = "cancelling"
    STRUCTURES = "structures"


ASKED = {
    Exercise.METADATA: 'curl {0}/write -d \'{{"brief": "Scriptoria"}}\'',
    Exercise.STREAMING: 'curl {0}/documents -d \'{{"brief": "Scriptoria"}}\'',
    Exercise.CANCELLING: 'curl {0}/documents -d \'{{"brief": "Scriptoria"}}\', then curl -N {0}/documents/ID/events and Ctrl-C',
    Exercise.STRUCTURES: 'curl {0}/documents -d \'{{"brief": "Scriptoria"}}\', then curl {0}/documents/ID',
}


def part(exercise: Exercise, name: str) -> ModuleType:
    """One file of an exercise."""
    return importlib.import_module(f"examples.case_study.{exercise}.{name}")


def verdict(exercise: Exercise, which: str, simulator: str) -> str:
    """What its check says of the start state or the solution; empty: all is well."""
    try:
        if exercise is Exercise.STRUCTURES:
            check_board(part(exercise, which).board)
        else:
            asyncio.run(checked(part(exercise, "check").check, part(exercise, which).application, simulator))
    except AssertionError as error:
        return str(error)
    return ""


async def _serve(exercise: Exercise, which: str, simulator: str, port: int) -> None:
    async with serving(part(exercise, which).application, simulator, port) as address:
        typer.echo(f"{exercise}, {which}: {address}\nthe model, with its dials and its record: {simulator}")
        typer.echo(f"try: {ASKED[exercise].format(address)}")
        await asyncio.Event().wait()


def main(
    exercise: Annotated[Exercise, typer.Argument(help="Which one.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    solution: Annotated[bool, typer.Option("--solution", help="The worked solution instead of the start.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say whether it does what the exercise demands.")] = False,
) -> None:
    """Run an exercise of the case study."""
    which = "solution" if solution else "start"
    with simulated() as simulator:
        if check:
            missing = verdict(exercise, which, simulator)
            typer.echo(f"{exercise}, {which}: {missing or 'all that was asked for'}")
            sys.exit(bool(missing))
        try:
            asyncio.run(_serve(exercise, which, simulator, port))
        except KeyboardInterrupt:
            typer.echo("Ending.")


if __name__ == "__main__":
    typer.run(main)
