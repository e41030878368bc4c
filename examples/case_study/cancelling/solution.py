"""Readers are counted, their absence has a grace, and closing the model's connection is the cancellation.

In the system: leases in `services/gateway/leases.py`, `_watch` in `services/conductor/core.py`, receipts in
`services/shared/attempt/endings.py`. There, readers and calls are in different processes, so that leaving is a fact in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette

from examples.case_study.model import Model
from examples.case_study.streaming.solution import Document, Documents

GRACE_S = 0.5
"""A reload takes less; a presentation would want ten seconds."""


class WatchedDocument(Document):
    """A document that is written only while somebody watches, or has left a moment ago."""

    def __init__(self, model: Model, brief: str) -> None:
        super().__init__(model, brief)
        self._readers = 0
        self._leaving: asyncio.TimerHandle | None = None

    def came(self) -> None:
        """One more reader. Whatever was cut off is written anew; what is finished stays."""
        self._readers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        self.begin()

    def left(self) -> None:
        """One reader less. The last one may only be reloading."""
        self._readers -= 1
        if self._readers == 0:
            self._leaving = asyncio.get_running_loop().call_later(GRACE_S, self._pause)

    def _pause(self) -> None:
        calls = tuple(self.tasks.values())
        for call in calls:
            call.cancel()  # It leaves the loop over the model's chunks, and that closes the socket.
        if calls:
            self.tell("DocumentPaused", reason="last_viewer_left", calls_closed=len(calls))


class WatchedDocuments(Documents):
    """The same handlers; a stream that begins or ends is a reader who came or left."""

    def made(self, brief: str) -> WatchedDocument:
        """A new one, with a first reader on the way: whoever has asked has a grace, too."""
        document = WatchedDocument(self._model, brief)
        document.came()
        document.left()
        return document

    async def frames(self, document: Document, after: int) -> AsyncIterator[dict[str, Any]]:
        """One reader's stream; it is closed when the connection is."""
        assert isinstance(document, WatchedDocument)
        document.came()
        try:
            async for frame in super().frames(document, after):
                yield frame
        finally:
            document.left()


def application(model: Model) -> Starlette:
    """As before, but nobody's text is not paid for."""
    return Starlette(routes=WatchedDocuments(model).routes())
