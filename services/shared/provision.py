"""Makes the streams and buckets of `schemas/streams.py`; waits until they are there."""

from __future__ import annotations

import asyncio

from nats.errors import Error as NatsError
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NotFoundError

from schemas import streams, subjects
from services.shared.bus import Bus

WAIT_S = 0.05


async def provision(bus: Bus) -> None:
    """Make what is missing, update what is there. Idempotent; after a restart of the bus it brings back what was in memory."""
    for config in streams.STREAMS:
        try:
            # First: to be made again, a stream that is there would need its storage to be free a second time (10047).
            await _update(bus, config)
        except NotFoundError:
            await bus.js.add_stream(config)  # Of two that do this at the same moment, both succeed.


async def _update(bus: Bus, config: StreamConfig) -> None:
    try:
        await bus.js.update_stream(config)
    except APIError as error:
        if "deny" not in (error.description or ""):
            raise
        # Made by an earlier version, whose buckets let nobody erase: that can't be taken back, all else can.
        await bus.js.update_stream(config.evolve(deny_delete=True))


async def provisioned(bus: Bus) -> None:
    """Return once every stream that this service may ask about is there, whoever makes them."""
    for config in streams.STREAMS:
        name = config.name or ""
        while _may_ask(bus, name):
            try:
                await bus.js.stream_info(name)
            except (NotFoundError, NatsError, TimeoutError):
                await asyncio.sleep(WAIT_S)
            else:
                break


def _may_ask(bus: Bus, stream: str) -> bool:
    """A question that the bus does not allow would never be answered."""
    subject = subjects.stream_info(stream)
    return any(
        subject == allowed or (allowed.endswith(">") and subject.startswith(allowed[:-1]))
        for allowed in subjects.PUBLISH[bus.service]
    )
