"""The bucket of watches: made and ended by gateways, kept up to date by watchers, each change where it was expected to be.

What is overtaken is erased, so that of a watch that ended, and of a document that is deleted, nothing stays on the disk.
"""

from __future__ import annotations

from typing import NamedTuple

from nats.js.errors import APIError

from schemas import subjects, watches
from schemas.watches import Watch
from services.shared.bus import Bus
from services.shared.erase import erase
from services.shared.log import WRONG_LAST_SEQUENCE, read

STREAM = f"KV_{subjects.WATCHES}"
OPERATION, DELETED = "KV-Operation", "DEL"


class Kept(NamedTuple):
    """A watch as the bucket has it, and the sequence at which it stands."""

    sequence: int
    watch: Watch


class WatchStore:
    """Everything that is done with the bucket, which needs to be there."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def all(self) -> list[Kept]:
        """Every watch of every document."""
        return await self._found(subjects.kv(subjects.WATCHES))

    async def of(self, document: str) -> list[Kept]:
        """A document's, the oldest first."""
        found = await self._found(_subject(document, "*"))
        return sorted(found, key=lambda kept: (kept.watch.made_at_ms, kept.watch.id))

    async def named(self, watch: str) -> Kept | None:
        """One, whichever document's it is."""
        found = await self._found(_subject("*", watch))
        return found[0] if found else None

    async def make(self, watch: Watch) -> None:
        """From now on it is watched."""
        await self._bus.js.publish(_subject(watch.document, watch.id), watches.encode(watch))

    async def change(self, kept: Kept, watch: Watch) -> Kept | None:
        """The watch as it is from now on; None where somebody else was first, or it is gone."""
        subject = _subject(watch.document, watch.id)
        try:
            ack = await self._bus.js.publish(
                subject, watches.encode(watch), headers={subjects.HEADER_EXPECTED: str(kept.sequence)}
            )
        except APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            return None
        await erase(self._bus, STREAM, subject, before=ack.seq)
        return Kept(ack.seq, watch)

    async def tell(self, watch: str, at_ms: int) -> Kept | None:
        """What it looks at has changed: kept until somebody has looked. None where there is no such watch."""
        while (kept := await self.named(watch)) is not None:
            changed = watches.told(kept.watch, at_ms)
            if changed is kept.watch:
                return kept
            if (now := await self.change(kept, changed)) is not None:
                return now
        return None

    async def end(self, document: str, watch: str) -> None:
        """It is watched no longer. The marker is for whoever follows it now; then that goes, too."""
        subject = _subject(document, watch)
        await self._bus.js.publish(subject, b"", headers={OPERATION: DELETED})
        await erase(self._bus, STREAM, subject)

    async def _found(self, subject: str) -> list[Kept]:
        newest: dict[str, Kept | None] = {}
        async for stored in read(self._bus.client, STREAM, subject):
            newest[stored.subject] = Kept(stored.sequence, watches.decode(stored.data)) if stored.data else None
        return [kept for kept in newest.values() if kept is not None]


def _subject(document: str, watch: str) -> str:
    return subjects.kv(subjects.WATCHES, subjects.watch_key(document, watch))
