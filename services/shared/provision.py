"""Makes the streams and buckets of `schemas/streams.py`; waits until they are there."""

from __future__ import annotations

import asyncio

from nats.errors import Error as NatsError
from nats.js.errors import BadRequestError, NotFoundError

from schemas import streams
from services.shared.bus import Bus

WAIT_S = 0.05


async def provision(bus: Bus) -> None:
    """Make what is missing, update what differs. Idempotent; after a restart of the bus it brings back what was in memory."""
    for config in streams.STREAMS:
        try:
            await bus.js.add_stream(config)
        except BadRequestError:  # There, with other settings.
            await bus.js.update_stream(config)


async def provisioned(bus: Bus) -> None:
    """Return once every stream is there, whoever makes them."""
    for config in streams.STREAMS:
        while True:
            try:
                await bus.js.stream_info(config.name or "")
            except (NotFoundError, NatsError, TimeoutError):
                await asyncio.sleep(WAIT_S)
            else:
                break
