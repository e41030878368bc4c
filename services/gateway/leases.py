"""Viewer leases: this gateway has at least one viewer on this document. Renewed while it lives, gone by themselves when not."""

from __future__ import annotations

import asyncio
import logging

from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from schemas import streams, subjects
from services.shared.bus import Bus

log = logging.getLogger(__name__)

RENEW_S = streams.LEASE_TTL_S / 3
RETRY_S = 0.1
HELD = b"1"


class Leases:
    """Counts holders; the first one takes the lease, the last one gives it back at once."""

    def __init__(self, bus: Bus, gateway: str) -> None:
        self._bus = bus
        self._gateway = gateway
        self._holders: dict[str, int] = {}
        self._renewing: dict[str, asyncio.Task[None]] = {}
        self._giving: set[asyncio.Task[None]] = set()
        self._abandoned = False
        bus.on_reconnected(self._renew_all)

    @property
    def documents(self) -> int:
        """How many leases this gateway holds."""
        return len(self._holders)

    async def hold(self, document: str) -> None:
        """Return once the lease is in the bucket."""
        self._holders[document] = self._holders.get(document, 0) + 1
        if self._holders[document] == 1:
            await self._put(document)
            if document in self._holders and document not in self._renewing:
                self._renewing[document] = asyncio.create_task(self._renew(document))

    def release(self, document: str) -> None:
        """One holder less; synchronous, so that leaving costs the leaver nothing."""
        if self._abandoned:
            return
        self._holders[document] -= 1
        if self._holders[document] > 0:
            return
        del self._holders[document]
        renewing = self._renewing.pop(document, None)
        if renewing is not None:
            renewing.cancel()
        task = asyncio.create_task(self._delete(document))
        self._giving.add(task)
        task.add_done_callback(self._giving.discard)

    def abandon(self) -> None:
        """This gateway stops: leases run out by themselves, so that a restart cancels nothing."""
        self._abandoned = True
        for task in self._renewing.values():
            task.cancel()
        self._renewing.clear()
        self._holders.clear()

    async def _renew(self, document: str) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            await self._put(document)

    async def _renew_all(self) -> None:
        for document in tuple(self._holders):
            await self._put(document)

    async def _put(self, document: str) -> None:
        subject = subjects.kv(subjects.VIEWERS, subjects.viewer_key(document, self._gateway))
        while document in self._holders:
            try:
                await self._bus.js.publish(subject, HELD, msg_ttl=streams.LEASE_TTL_S)
            except (NatsError, APIError, NoStreamResponseError, TimeoutError) as error:
                log.warning("lease on %s again: %s", document, error)
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def _delete(self, document: str) -> None:
        if document in self._holders:  # Somebody came back in the meantime.
            return
        subject = subjects.kv(subjects.VIEWERS, subjects.viewer_key(document, self._gateway))
        try:
            # With a time to live: a bucket in memory has no room for every document that was ever watched.
            await self._bus.js.publish(subject, b"", headers={"KV-Operation": "DEL"}, msg_ttl=streams.LEASE_TTL_S)
        except (NatsError, APIError, NoStreamResponseError, TimeoutError) as error:
            log.warning("lease on %s runs out by itself: %s", document, error)
        if document in self._holders:
            await self._put(document)
