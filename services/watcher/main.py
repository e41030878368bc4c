"""The watcher: wiring only."""

from __future__ import annotations

import asyncio
import logging

from services.shared.bus import connect
from services.shared.ending import Ending, run
from services.shared.fetching.addresses import networks
from services.shared.fetching.fetch import Fetcher
from services.shared.figures import figures_of
from services.shared.provision import provisioned
from services.shared.settings import Settings
from services.shared.sources import SourceStore
from services.shared.watches import WatchStore
from services.watcher.followers import Parts
from services.watcher.giving import Documents, Giver
from services.watcher.watching import Watching


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. What was not finished, another watcher or the next one finds undone."""
    ending = Ending()
    bus = await connect(settings.bus, "watcher")
    await provisioned(bus)
    watching = Watching(
        bus,
        Parts(
            settings=settings.watcher,
            store=WatchStore(bus),
            documents=Documents(bus),
            giver=Giver(bus, await SourceStore.open(bus), figures_of(settings)),
            fetcher=Fetcher(networks(settings.fetch.allowed_networks)),
        ),
    )
    await watching.start()
    print("watcher ready", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
    await ending.asked()
    await watching.close()
    await bus.close()


def main() -> None:
    """Run the service with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(serve(Settings().resolved()), by=asyncio.run)
