"""The writer: wiring only."""

from __future__ import annotations

import logging
import os
import secrets

from services.shared.attempt.blocks import Sources
from services.shared.attempt.models import Models, registry_of
from services.shared.attempt.runner import Runner
from services.shared.bus import connect
from services.shared.ending import Ending, run
from services.shared.health.telling import Telling
from services.shared.provision import provisioned
from services.shared.settings import Settings
from services.shared.sources import SourceStore
from services.writer.cells import CellWriter
from services.writer.slots import Slots

STOPPING_S = 2.0
"""For receipts; the calls themselves are closed at once."""


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A job that is cut off goes back to the queue at once."""
    ending = Ending()
    bus = await connect(settings.bus, "writer")
    await provisioned(bus)
    models = Models(registry_of(settings), settings.limits, settings.health)
    cells = CellWriter(settings, Sources(await SourceStore.open(bus)))
    name = f"writer-{os.getpid()}-{secrets.token_hex(2)}"
    runner = Runner(bus, models, cells, name=name)
    telling = Telling(
        bus, models.keeper, name=name, service="writer", slots=settings.writer.slots, jobs=lambda: len(runner.sessions)
    )
    await telling.start()
    slots = Slots(bus, runner, settings.writer.slots)
    await slots.start()
    print("writer ready", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
    await ending.asked()
    await slots.stop(STOPPING_S)
    await telling.close()
    await runner.close()
    await bus.close()


def main() -> None:
    """Run the service with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx2", "bm25s"):  # A line a call says nothing that the log of facts does not.
        logging.getLogger(chatty).setLevel(logging.WARNING)
    run(serve(Settings().resolved()))
