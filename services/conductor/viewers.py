"""Who watches what: every gateway's leases, as the bus republishes them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec
from nats.aio.msg import Msg

from schemas import streams, subjects
from services.shared.bus import REQUEST_TIMEOUT_S, Bus
from services.shared.clock import monotonic_ms, now_ms
from services.shared.log import read

BUCKET = f"KV_{subjects.VIEWERS}"
LEASE_MS = streams.LEASE_TTL_S * 1_000
UNRENEWED_MS_MAX = 2 * LEASE_MS
"""A lease that was not renewed for so long is over, even if the message that says so was lost."""
DOCUMENTS_MAX = 50_000

Heard = Callable[[str, bool], None]
"""(document, whether somebody watches now and nobody did before, or the other way round)"""


class _Info(msgspec.Struct):
    """What is read of a stream's info (NATS API `io.nats.jetstream.api.v1.stream_info_response`)."""

    ts: datetime
    created: datetime


class Lease(NamedTuple):
    """The newest that is known of one gateway's lease. One that is over stays, so that older news is known to be old."""

    sequence: int
    held: bool
    heard_ms: float
    """On the monotonic clock."""


class Watch:
    """One document's leases, by gateway."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self.watched_at_ms = 0

    def count(self) -> int:
        """How many gateways have a viewer on it."""
        oldest_ms = monotonic_ms() - UNRENEWED_MS_MAX
        return sum(lease.held and lease.heard_ms > oldest_ms for lease in self.leases.values())


class Viewers:
    """Leases by document. A lease's value is never empty; a deletion's, and an expiry's marker's, always is."""

    def __init__(self, bus: Bus, heard: Heard) -> None:
        self._bus = bus
        self._heard = heard
        self._watches: OrderedDict[str, Watch] = OrderedDict()
        self._known_from_ms = float("inf")

    async def listen(self) -> None:
        """From now on; what was there before, `refresh` reads."""
        await self._bus.client.subscribe(
            subjects.live_viewers(), cb=self._received, pending_msgs_limit=-1, pending_bytes_limit=-1
        )

    async def refresh(self) -> None:
        """Read all leases. The bucket is in memory: for one lease's time after it was made, having none means nothing."""
        self._known_from_ms = float("inf")
        for watch in self._watches.values():
            watch.leases.clear()  # Their sequences may be those of a stream that is no more.
        async for stored in read(self._bus.client, BUCKET, subjects.kv(subjects.VIEWERS)):
            self._take(stored.subject, stored.sequence, now_ms(), held=bool(stored.data))
        self._known_from_ms = monotonic_ms() + max(LEASE_MS - await self._age_ms(), 0.0)

    async def _age_ms(self) -> float:
        """For how long the bucket has been there, by the server's own clock."""
        answer = await self._bus.client.request(subjects.stream_info(BUCKET), timeout=REQUEST_TIMEOUT_S)
        info = msgspec.json.decode(answer.data, type=_Info)
        return (info.ts - info.created).total_seconds() * 1_000

    def count(self, document: str) -> int:
        """How many gateways have a viewer on it."""
        watch = self._watches.get(document)
        return 0 if watch is None else watch.count()

    def watched_at_ms(self, document: str) -> int:
        """When somebody was last known to watch it; 0: nobody ever was."""
        watch = self._watches.get(document)
        return 0 if watch is None else watch.watched_at_ms

    @property
    def known(self) -> bool:
        """Whether having no lease means that nobody watches."""
        return monotonic_ms() >= self._known_from_ms

    @property
    def known_in_ms(self) -> float:
        """How long until `known`."""
        return max(self._known_from_ms - monotonic_ms(), 0.0)

    async def _received(self, message: Msg) -> None:
        headers = message.headers or {}
        at_ms = int(datetime.fromisoformat(headers[subjects.HEADER_TIME]).timestamp() * 1_000)
        self._take(message.subject, int(headers[subjects.HEADER_SEQUENCE]), at_ms, held=bool(message.data))

    def _take(self, subject: str, sequence: int, at_ms: int, *, held: bool) -> None:
        _, document, gateway = subject.rsplit(".", 2)
        watch = self._watches.setdefault(document, Watch())
        self._watches.move_to_end(document)
        if len(self._watches) > DOCUMENTS_MAX:
            self._watches.popitem(last=False)  # What was not renewed for longest.
        known = watch.leases.get(gateway)
        if known is not None and sequence <= known.sequence:
            return
        before = watch.count()
        watch.leases[gateway] = Lease(sequence, held, monotonic_ms())
        watch.watched_at_ms = max(watch.watched_at_ms, at_ms)
        self._heard(document, (watch.count() > 0) != (before > 0))
