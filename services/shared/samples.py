"""Samples for the control room: told in passing, never waited for, lost where nobody listens."""

from __future__ import annotations

import asyncio

from nats.errors import Error as NatsError

from schemas import operations, subjects
from schemas.operations import Sample
from services.shared.bus import Bus

WAITING_MAX = 1_000


class Samples:
    """Tells a service's samples."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, sample: Sample) -> None:
        """In the order of the calls, as a task: whoever tells is in the middle of something else."""
        if len(self._telling) >= WAITING_MAX:
            return
        task = asyncio.ensure_future(self._tell(sample))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, sample: Sample) -> None:
        try:
            await self._bus.client.publish(subjects.metrics(self._bus.service), operations.encode(sample))
        except NatsError:
            return  # Closed, or away for so long that its buffer is full: it is only a sample.
