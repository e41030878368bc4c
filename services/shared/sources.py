"""Source bytes and their passages, in the object store.

A source that is replaced has another digest, and so other objects:
whoever still works from the old one finds it.
"""

from __future__ import annotations

import base64

from nats.js.errors import NotFoundError, ObjectNotFoundError
from nats.js.object_store import ObjectStore

from schemas import passages, subjects
from schemas.passages import Passages
from services.shared.bus import Bus
from services.shared.erase import erase

DIGEST_CHARACTERS = 32
STREAM = f"OBJ_{subjects.SOURCES}"


class SourceStore:
    """Two objects a version of a source: `<doc>/<source>/<digest of its bytes>/bytes`, `…/passages`."""

    def __init__(self, bus: Bus, store: ObjectStore) -> None:
        self._bus = bus
        self._store = store

    @classmethod
    async def open(cls, bus: Bus) -> SourceStore:
        """Needs the bucket to be there."""
        return cls(bus, await bus.js.object_store(subjects.SOURCES))

    async def put_bytes(self, document: str, source: str, digest: str, data: bytes) -> None:
        """Keep a source as it was given; `digest` is that of the bytes, as in `SourceGiven`."""
        await self._store.put(_name(document, source, digest, "bytes"), data)

    async def get_bytes(self, document: str, source: str, digest: str) -> bytes | None:
        """A source as it was given; None where there is none."""
        return await self._get(_name(document, source, digest, "bytes"))

    async def put_passages(self, document: str, digest: str, found: Passages) -> None:
        """Keep what was extracted of the bytes that `digest` names."""
        await self._store.put(_name(document, found.source, digest, "passages"), passages.encode(found))

    async def get_passages(self, document: str, source: str, digest: str) -> Passages | None:
        """What was extracted; None where nothing was yet."""
        data = await self._get(_name(document, source, digest, "passages"))
        return None if data is None else passages.decode(data)

    async def delete(self, document: str, source: str, digest: str) -> None:
        """Both objects, really gone: what the object store keeps of a deleted one, its name, too."""
        for kind in ("bytes", "passages"):
            name = _name(document, source, digest, kind)
            try:
                info = await self._store.get_info(name, show_deleted=True)
            except (NotFoundError, ObjectNotFoundError):
                continue
            await erase(self._bus, STREAM, subjects.object_chunks(subjects.SOURCES, info.nuid))
            encoded = base64.urlsafe_b64encode(name.encode()).decode()
            await erase(self._bus, STREAM, subjects.object_info(subjects.SOURCES, encoded))

    async def _get(self, name: str) -> bytes | None:
        try:
            return (await self._store.get(name)).data
        except (NotFoundError, ObjectNotFoundError):
            return None


def _name(document: str, source: str, digest: str, kind: str) -> str:
    return f"{document}/{source}/{digest[:DIGEST_CHARACTERS] or '-'}/{kind}"
