"""Documents that this process has to do with: one tail each, however many of its cells are being written."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from schemas.document import Document
from services.shared.bus import Bus
from services.shared.tail import DocumentTail

IDLE_MAX = 32
"""Documents kept up to date though nothing of theirs is being written: the next job finds them ready."""


class Followed:
    """A document, and this process's turn at its log."""

    def __init__(self, tail: DocumentTail) -> None:
        self.tail = tail
        self.turn = asyncio.Lock()
        """Held while something is appended under a fence, so that one process has no conflicts with itself."""
        self.own = 0
        """The sequence of the last fact that this process appended under a fence: up to there nobody else wrote anything
        beyond what `tail` has."""
        self.started: asyncio.Task[Document | None] | None = None
        self.users = 0

    @property
    def document(self) -> Document | None:
        """As it is now."""
        return self.tail.document


class Documents:
    """Starts and stops tails."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._followed: OrderedDict[str, Followed] = OrderedDict()

    @asynccontextmanager
    async def hold(self, document: str) -> AsyncGenerator[Followed]:
        """The document, up to date."""
        followed = self._followed.get(document)
        if followed is None:
            followed = self._followed[document] = Followed(DocumentTail(self._bus, document))
            followed.started = asyncio.create_task(followed.tail.start(), name=f"follow {document}")
        followed.users += 1
        self._followed.move_to_end(document)
        try:
            if followed.started is not None:
                await asyncio.shield(followed.started)
            yield followed
        finally:
            followed.users -= 1
            await self._let_idle_go()

    async def _let_idle_go(self) -> None:
        idle = [id_ for id_, followed in self._followed.items() if not followed.users]
        for id_ in idle[: max(len(idle) - IDLE_MAX, 0)]:
            await self._forget(id_)

    async def _forget(self, document: str) -> None:
        followed = self._followed.pop(document)
        if followed.started is not None:
            followed.started.cancel()
        await followed.tail.stop()

    async def close(self) -> None:
        """Follow none any more."""
        for document in tuple(self._followed):
            await self._forget(document)
