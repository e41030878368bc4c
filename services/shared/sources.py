"""Source bytes and their passages, in the object store."""

from __future__ import annotations

from nats.js.errors import NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from schemas import passages, subjects
from schemas.passages import Passages
from services.shared.bus import Bus


class SourceStore:
    """Two objects a source: `<doc>/<source>/bytes`, `<doc>/<source>/passages`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    async def open(cls, bus: Bus) -> SourceStore:
        """Needs the bucket to be there."""
        return cls(await bus.js.object_store(subjects.SOURCES))

    async def put_bytes(self, document: str, source: str, data: bytes) -> None:
        """Keep a source as it was given."""
        await self._store.put(f"{document}/{source}/bytes", data)

    async def get_bytes(self, document: str, source: str) -> bytes | None:
        """A source as it was given; None where there is none."""
        return await self._get(f"{document}/{source}/bytes")

    async def put_passages(self, document: str, found: Passages) -> None:
        """Keep what was extracted."""
        await self._store.put(f"{document}/{found.source}/passages", passages.encode(found))

    async def get_passages(self, document: str, source: str) -> Passages | None:
        """What was extracted; None where nothing was yet."""
        data = await self._get(f"{document}/{source}/passages")
        return None if data is None else passages.decode(data)

    async def delete(self, document: str, source: str) -> None:
        """Both objects, really gone."""
        for kind in ("bytes", "passages"):
            try:
                await self._store.delete(f"{document}/{source}/{kind}")
            except (NotFoundError, ObjectNotFoundError):
                continue

    async def _get(self, name: str) -> bytes | None:
        try:
            return (await self._store.get(name)).data
        except (NotFoundError, ObjectNotFoundError):
            return None
