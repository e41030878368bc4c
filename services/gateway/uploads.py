"""Files that wait for a document to be made of them: an hour, then they go."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue

from schemas import subjects
from services.gateway.access import new_id
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.sources import SourceStore

log = logging.getLogger(__name__)

KEPT_MS = 3_600_000
SWEEP_S = 600.0
_UNDER = "uploads"
_DIGEST = ""
"""An upload is one version of itself."""
_KEY = "upload."


class Uploads:
    """Bytes and name in the object store; in a bucket, when each came, so that nobody has to list every source there is."""

    def __init__(self, bus: Bus, store: SourceStore, index: KeyValue) -> None:
        self._bus = bus
        self._store = store
        self._index = index

    async def put(self, name: str, data: bytes) -> str:
        """Keep a file; its id."""
        id_ = new_id()
        await self._index.put(f"{_KEY}{id_}", b"%d" % now_ms())  # First: what is in no index is never swept.
        await self._store.put_bytes(_UNDER, id_, _DIGEST, len(name.encode()).to_bytes(2) + name.encode() + data)
        return id_

    async def get(self, id_: str) -> tuple[str, bytes] | None:
        """Name and bytes; None where there is no such upload, or not any more."""
        kept = await self._store.get_bytes(_UNDER, id_, _DIGEST)
        if kept is None:
            return None
        size = int.from_bytes(kept[:2])
        return kept[2 : 2 + size].decode(), kept[2 + size :]

    async def sweep(self, now: int) -> int:
        """Delete what has been here for longer than KEPT_MS; how many that were. Any gateway may do it, at any time."""
        asked = subjects.kv(subjects.IDEMPOTENCY, f"{_KEY}>")
        info = await self._bus.js.stream_info(f"KV_{subjects.IDEMPOTENCY}", subjects_filter=asked)
        swept = 0
        for subject in info.state.subjects or {}:
            id_ = subject.rsplit(".", 1)[1]
            with contextlib.suppress(KeyNotFoundError):  # Swept already: its marker is still there.
                entry = await self._index.get(f"{_KEY}{id_}")
                if int(entry.value or b"0") + KEPT_MS <= now:
                    await self._store.delete(_UNDER, id_, _DIGEST)
                    await self._index.delete(f"{_KEY}{id_}")
                    swept += 1
        return swept

    async def keep_swept(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.sweep(now_ms())
            except (NatsError, TimeoutError) as error:
                log.warning("uploads stay for now: %s", error)
            await asyncio.sleep(SWEEP_S)
