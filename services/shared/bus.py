"""One connection to NATS, with settings that survive a server's restart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js import JetStreamContext

from schemas import subjects
from services.shared.clock import monotonic_ms
from services.shared.settings import BusSettings

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 5.0
FLUSH_S = 1
PENDING_BYTES_MAX = 32 * 1024**2
"""What may wait in this process while the server is away."""

OnReconnected = Callable[[], Awaitable[None]]


def connection_options(settings: BusSettings, service: subjects.ServiceName) -> dict[str, Any]:
    """What nats-py, and FastStream's broker, are given to connect as `service`."""
    options: dict[str, Any] = {
        "servers": [settings.url],
        "name": service,
        "inbox_prefix": subjects.inbox(service).encode(),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.1,
        "connect_timeout": 2,
        "ping_interval": 2,
        "max_outstanding_pings": 2,
        "allow_reconnect": True,
    }
    if settings.password is not None:
        options["user"] = settings.user or service
        options["password"] = settings.password.get_secret_value()
    return options


class Bus:
    """A connection, its JetStream context, and who wants to know when it was lost and came back."""

    def __init__(self, service: subjects.ServiceName, client: Client) -> None:
        self.service: subjects.ServiceName = service
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=REQUEST_TIMEOUT_S)
        self.lost_at_ms: float | None = None
        """On the monotonic clock; None while connected."""
        self.epochs: dict[str, int] = {}
        """When the streams that are there now were made, as far as it was asked; a server that comes back may have new ones."""
        self._on_reconnected: dict[int, OnReconnected] = {}
        self._on_lost: dict[int, Callable[[], None]] = {}
        self._next_key = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def on_reconnected(self, callback: OnReconnected) -> Callable[[], None]:
        """Call `callback` after each reconnection; returns what ends that."""
        key = self._next_key = self._next_key + 1
        self._on_reconnected[key] = callback
        return lambda: self._on_reconnected.pop(key, None) and None

    def on_lost(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the connection breaks; returns what ends that."""
        key = self._next_key = self._next_key + 1
        self._on_lost[key] = callback
        return lambda: self._on_lost.pop(key, None) and None

    async def lost(self) -> None:
        """nats-py's disconnected_cb."""
        self.epochs = {}
        if self.lost_at_ms is None and not self.client.is_closed:
            self.lost_at_ms = monotonic_ms()
            log.warning("bus lost")
            for callback in tuple(self._on_lost.values()):
                callback()

    async def reconnected(self) -> None:
        """nats-py's reconnected_cb. Callbacks run as tasks: they make requests, which this callback would block."""
        self.lost_at_ms = None
        self.epochs = {}
        log.info("bus is back")
        for callback in tuple(self._on_reconnected.values()):
            task = asyncio.ensure_future(callback())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("after a reconnection", exc_info=task.exception())

    async def close(self) -> None:
        """Send what is pending and go. No `drain`: that waits for messages which nobody will handle any more."""
        for task in self._tasks:
            task.cancel()
        if self.client.is_connected:
            with contextlib.suppress(NatsError):  # Lost in this moment: the log knows what arrived.
                await self.client.flush(FLUSH_S)
        try:
            await self.client.close()
        except RuntimeError as error:
            # It was away: uvloop takes nothing for a transport that is closed, and nobody is there to send it to.
            log.debug("closing: %s", error)


async def connect(settings: BusSettings, service: subjects.ServiceName) -> Bus:
    """Connect as `service`; waits for a server that is not there yet."""
    client = Client()
    bus = Bus(service, client)
    waits = False

    async def on_error(error: Exception) -> None:
        nonlocal waits
        if (
            not client.is_connected and bus.lost_at_ms is None
        ):  # It has never been: said once, not at each of its tries.
            log.log(logging.DEBUG if waits else logging.INFO, "waiting for the bus at %s: %s", settings.url, error)
            waits = True
            return
        # A denied publish is only a time-out at the publisher: this is where the reason comes.
        # That it cannot be reached while it is away was said when it was lost.
        log.log(logging.ERROR if bus.lost_at_ms is None else logging.DEBUG, "bus: %s", error)

    while True:
        try:
            await client.connect(
                **connection_options(settings, service),
                pending_size=PENDING_BYTES_MAX,
                error_cb=on_error,
                disconnected_cb=bus.lost,
                reconnected_cb=bus.reconnected,
            )
        except (OSError, NoServersError, TimeoutError) as error:
            await on_error(error)
            await asyncio.sleep(0.1)
        else:
            return bus
