"""Makes a document's sources what was seen: bytes into the object store first, then the edit, where the log is expected to end.

Whatever the reason that somebody else was first, the document is folded again and thought about again: it may have these bytes by
now, from another watcher, or be gone.
"""

from __future__ import annotations

import mimetypes
from typing import NamedTuple

from msgspec.structs import replace

from schemas.document import Deleted, Document
from schemas.edits import free_source_id
from schemas.estimates import Figures, estimate
from schemas.events import SourceAdded, SourceRemoved, SourceReplaced
from schemas.fold import fold
from schemas.preview import touched
from schemas.values import Cause, SourceGiven
from schemas.watches import Watch, sources_of
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import ConflictError, append
from services.shared.sources import SourceStore
from services.shared.tail import DocumentTail

UNKNOWN = "application/octet-stream"
Fact = SourceAdded | SourceReplaced | SourceRemoved


class Seen(NamedTuple):
    """What was seen: of a folder's file `key` is its path, of an address it is empty."""

    key: str
    data: bytes
    digest: str
    media_type: str = ""
    url: str = ""


class Documents:
    """The documents that have watches: one tail each, however many watches it has."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._tails: dict[str, DocumentTail] = {}
        self._users: dict[str, int] = {}

    async def follow(self, document: str) -> DocumentTail:
        """Up to date when this returns, and from then on."""
        self._users[document] = self._users.get(document, 0) + 1
        tail = self._tails.get(document)
        if tail is None:
            tail = self._tails[document] = DocumentTail(self._bus, document)
            await tail.start()
        else:
            await tail.refresh()
        return tail

    async def leave(self, document: str) -> None:
        """One fewer follows it."""
        self._users[document] -= 1
        if self._users[document] == 0:
            del self._users[document]
            await self._tails.pop(document).stop()


def living(tail: DocumentTail) -> Document | None:
    """The document; None where it is deleted, or was never made."""
    document = tail.document
    return None if document is None or isinstance(document.run, Deleted) else document


class Giver:
    """Edits in a watch's name."""

    def __init__(self, bus: Bus, store: SourceStore, figures: Figures) -> None:
        self._bus = bus
        self._store = store
        self._figures = figures

    async def give(self, tail: DocumentTail, watch: Watch, seen: Seen, cause: Cause) -> bool:
        """The document has what was seen; whether that changed it."""
        kept: list[str] = []
        while (document := living(tail)) is not None:
            source = sources_of(watch, document).get(seen.key)
            if source is not None and source.given.digest == seen.digest:
                break
            before = None if source is None else source.given
            given = _given(free_source_id(document), before, watch, seen)
            await self._store.put_bytes(document.id, given.id, given.digest, seen.data)
            if before is None:
                kept.append(given.id)
                fact: Fact = SourceAdded(at_ms=now_ms(), cause=cause, who=watch.called, source=given)
            else:
                fact = SourceReplaced(at_ms=now_ms(), cause=cause, who=watch.called, source=given)
            if await self._append(tail, document, fact):
                kept = [id_ for id_ in kept if id_ != given.id]
                await self._forget(tail, kept, seen.digest)
                return True
        await self._forget(tail, kept, seen.digest)
        return False

    async def remove(self, tail: DocumentTail, watch: Watch, source: str, cause: Cause) -> bool:
        """The document is written without this source."""
        while (document := living(tail)) is not None and source in document.sources:
            if document.sources[source].given.watch != watch.id:
                return False
            fact = SourceRemoved(at_ms=now_ms(), cause=cause, who=watch.called, source=source)
            if await self._append(tail, document, fact):
                return True
        return False

    async def _append(self, tail: DocumentTail, document: Document, fact: Fact) -> bool:
        """False where somebody was first; either way the tail has what there is."""
        after = fold(document, fact, document.sequence + 1)
        come = touched(document, after)
        if not come.waits:
            fact = replace(fact, estimate=estimate(after, [one.cell for one in come.cells], self._figures))
        try:
            await append(self._bus, document.id, fact, expected=document.sequence)
        except ConflictError:
            return False
        finally:
            await tail.refresh()
        return True

    async def _forget(self, tail: DocumentTail, ids: list[str], digest: str) -> None:
        """Bytes that no fact tells of would outlive their document."""
        document = living(tail)
        for id_ in ids:
            source = None if document is None else document.sources.get(id_)
            if source is None or source.given.digest != digest:
                await self._store.delete(tail.id, id_, digest)


def _given(free: str, before: SourceGiven | None, watch: Watch, seen: Seen) -> SourceGiven:
    name = seen.key or (seen.url if before is None else before.name)
    return SourceGiven(
        id=free if before is None else before.id,
        name=name,
        media_type=seen.media_type or mimetypes.guess_type(name)[0] or UNKNOWN,
        size_bytes=len(seen.data),
        digest=seen.digest,
        url=seen.url,
        watch=watch.id,
    )
