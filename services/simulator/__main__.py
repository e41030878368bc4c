"""`python -m services.simulator`: the simulator by itself."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
import uvloop

from services.shared.settings import Settings
from services.simulator.main import serve

SWITCH_S = 0.0005


def main(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = None,
    seed: Annotated[int | None, typer.Option(help="All that is drawn is drawn from it.")] = None,
    bus: Annotated[
        bool | None, typer.Option(help="Let the dials be turned over NATS too; without it, where a bus is configured.")
    ] = None,
) -> None:
    """Answer model calls from the sources in their prompts, and misbehave on request."""
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    settings = Settings()
    given = {"host": host, "port": port, "seed": seed}
    simulator = settings.simulator.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    # The thread that composes answers shall not hold up those that are being sent.
    sys.setswitchinterval(SWITCH_S)
    with_bus = "bus" in settings.model_fields_set if bus is None else bus
    uvloop.run(
        serve(
            simulator,
            settings.bus if with_bus else None,
            lambda address: typer.echo(f"simulator listening on {address}"),
        )
    )


if __name__ == "__main__":
    typer.run(main)
