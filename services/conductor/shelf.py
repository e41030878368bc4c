"""What the conductor keeps of documents beside their logs, cards and snapshots, and how all of a document is thrown away."""

from __future__ import annotations

import msgspec

from schemas import library, subjects
from schemas.compaction import Version, given_to, versions
from schemas.document import Document
from schemas.events import decode_fact
from schemas.library import card_of
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.erase import erase
from services.shared.log import read
from services.shared.snapshots import Snapshots
from services.shared.sources import SourceStore


class Shelf:
    """Buckets and purges."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._store: SourceStore | None = None
        self._snapshots = Snapshots(bus)

    async def put_card(self, document: Document, before: library.Card | None) -> library.Card:
        """Write the card, unless it says what `before` said; what it says now."""
        card = card_of(document)
        if before is None:  # By another replica, or by this one before it was started anew.
            before = await self._kept(document.id)
        if card == before:
            return card
        shown = msgspec.structs.replace(card, changed_at_ms=now_ms())
        subject = subjects.kv(subjects.DOCUMENTS, subjects.card_key(document.id))
        written = await self._bus.js.publish(subject, library.encode(shown))
        # What is only overtaken stays on the disk until the stream is compacted, and would outlive the document.
        await erase(self._bus, f"KV_{subjects.DOCUMENTS}", subject, before=written.seq)
        return card

    async def keep(self, document: Document) -> None:
        """A snapshot, for whoever opens it next; none where there is a later one."""
        await self._snapshots.keep(document, "newest")

    async def _kept(self, document: str) -> library.Card | None:
        subject = subjects.kv(subjects.DOCUMENTS, subjects.card_key(document))
        kept: library.Card | None = None
        async for stored in read(self._bus.client, f"KV_{subjects.DOCUMENTS}", subject):
            kept = msgspec.structs.replace(library.decode(stored.data), changed_at_ms=0)
        return kept

    async def throw_away(self, document: str, sequence: int) -> None:
        """All that is kept of a document, but for the fact at `sequence` that says so. May be done any number of times.

        The log last: what was to be thrown away is known from it.
        """
        if self._store is None:
            self._store = await SourceStore.open(self._bus)
        for version in await self._versions(document):
            await self._store.delete(document, version.source, version.digest)
        for stream, subject in subjects.of_document(document).items():
            await erase(self._bus, stream, subject)
        await erase(self._bus, subjects.FACTS, subjects.facts_stored(document), before=sequence)

    async def _versions(self, document: str) -> set[Version]:
        """Every source that it ever had, and that was not forgotten yet."""
        found: set[Version] = set()
        async for stored in read(self._bus.client, subjects.FACTS, subjects.facts_stored(document)):
            found.update(versions(decode_fact(stored.data)))
        for known in (await self._snapshots.known(document)).values():
            if known.info is not None:
                found.update(known.info.forgets)
                loaded = await self._snapshots.load(document, known.info)
                found |= frozenset() if loaded is None else given_to(loaded.document)
        return found
