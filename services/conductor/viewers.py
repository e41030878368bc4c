"""Who watches what: every gateway's leases, as the bus republishes them."""

from __future__ import annotations

from collections.abc import Callable

from nats.aio.msg import Msg

from schemas import streams, subjects
from services.shared.bus import Bus
from services.shared.clock import monotonic_ms
from services.shared.log import read

BUCKET = f"KV_{subjects.VIEWERS}"


class Viewers:
    """Leases by document. A lease's value is never empty; a deletion's, and an expiry's marker's, always is."""

    def __init__(self, bus: Bus, changed: Callable[[str], None]) -> None:
        self._bus = bus
        self._changed = changed
        self._gateways: dict[str, set[str]] = {}
        self._known_from_ms = 0.0

    async def start(self) -> None:
        """Listen first, then read what there is."""
        await self._bus.client.subscribe(subjects.live_viewers(), cb=self._heard)
        await self.refresh()

    async def refresh(self) -> None:
        """After the bus was away its leases are gone too: for one lease's time, having none means nothing."""
        self._gateways.clear()
        self._known_from_ms = monotonic_ms() + streams.LEASE_TTL_S * 1_000
        async for stored in read(self._bus.client, BUCKET, subjects.kv(subjects.VIEWERS)):
            document, gateway = stored.subject.rsplit(".", 2)[1:]
            self._put(document, gateway, held=bool(stored.data))

    def count(self, document: str) -> int:
        """How many gateways have a viewer on it."""
        return len(self._gateways.get(document, ()))

    @property
    def known(self) -> bool:
        """Whether having no lease means that nobody watches."""
        return monotonic_ms() >= self._known_from_ms

    @property
    def known_in_ms(self) -> int:
        """How long until `known`."""
        return max(round(self._known_from_ms - monotonic_ms()), 0)

    async def _heard(self, message: Msg) -> None:
        document, gateway = message.subject.rsplit(".", 2)[1:]
        self._put(document, gateway, held=bool(message.data))

    def _put(self, document: str, gateway: str, *, held: bool) -> None:
        before = self.count(document)
        if held:
            self._gateways.setdefault(document, set()).add(gateway)
        else:
            self._gateways.get(document, set()).discard(gateway)
            if not self._gateways.get(document):
                self._gateways.pop(document, None)
        if (self.count(document) > 0) != (before > 0):
            self._changed(document)
