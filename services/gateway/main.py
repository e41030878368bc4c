"""The gateway: wiring, and a socket that notices who has gone."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket

import httpx2
import typer
import uvicorn

from schemas import subjects
from services.gateway.access import Access
from services.gateway.creating import Creating
from services.gateway.hub import Hubs
from services.gateway.intake import Intake
from services.gateway.leases import Leases
from services.gateway.library import Library
from services.gateway.operations import Rooms
from services.gateway.routes import Face
from services.gateway.uploads import Uploads
from services.shared.bus import connect
from services.shared.ending import Ending, run
from services.shared.fetching.addresses import networks
from services.shared.fetching.fetch import Fetcher
from services.shared.provision import provisioned
from services.shared.settings import Settings
from services.shared.sources import SourceStore

VANISHED_MS = 5_000
NOTSENT_BYTES_MAX = 16 * 1024
BACKLOG = 2_048


def _listener(host: str, port: int) -> socket.socket:
    """Accepted sockets inherit: a vanished peer is noticed after 5 s, and the kernel hides few stale bytes of a slow one."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_USER_TIMEOUT", VANISHED_MS), ("TCP_NOTSENT_LOWAT", NOTSENT_BYTES_MAX)):
        number = getattr(socket, option, None)
        if number is not None:
            listener.setsockopt(socket.IPPROTO_TCP, number, value)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


class _Server(uvicorn.Server):
    """Signals are ours: streams end first, as uvicorn would wait for them."""

    def install_signal_handlers(self) -> None:
        """None of its own."""


async def serve(settings: Settings, host: str, port: int) -> None:
    """Run until SIGTERM or SIGINT."""
    ending = Ending()
    listener = _listener(host, port)
    bus = await connect(settings.bus, "gateway")
    await provisioned(bus)
    leases = Leases(bus, secrets.token_hex(8))
    hubs = Hubs(bus, leases)
    rooms = Rooms(bus)
    access, store = await Access.open(bus), await SourceStore.open(bus)
    idempotency = await bus.js.key_value(subjects.IDEMPOTENCY)
    uploads = Uploads(bus, store, idempotency)
    fetcher = Fetcher(networks(settings.fetch.allowed_networks))
    creating = Creating(
        bus=bus,
        access=access,
        store=store,
        intake=Intake(uploads, fetcher),
        idempotency=idempotency,
        providers=settings.providers,
    )
    async with httpx2.AsyncClient(trust_env=False, timeout=3) as http:
        face = Face(
            bus=bus,
            settings=settings,
            access=access,
            creating=creating,
            uploads=uploads,
            store=store,
            hubs=hubs,
            leases=leases,
            rooms=rooms,
            http=http,
            library=await Library.open(bus),
            fetcher=fetcher,
        )
        config = uvicorn.Config(
            face.app(), http="httptools", log_level="warning", access_log=False, lifespan="off", ws="none"
        )
        server = _Server(config)
        serving = asyncio.create_task(server._serve(sockets=[listener]))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- serve() would take our signals
        shown = f"[{host}]" if ":" in host else host
        print(f"gateway listening on http://{shown}:{listener.getsockname()[1]}", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
        sweeping = asyncio.create_task(uploads.keep_swept())
        await ending.asked()
        sweeping.cancel()
        leases.abandon()
        server.should_exit = True
        server.force_exit = True
        await rooms.close_all()
        await hubs.close()
        await serving
    await bus.close()


def main(host: str | None = None, port: int | None = None) -> None:
    """Serve the page and the HTTP face, with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    settings = Settings().resolved()
    try:
        run(
            serve(
                settings,
                settings.gateway.host if host is None else host,
                settings.gateway.port if port is None else port,
            )
        )
    except OSError as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(1) from None
