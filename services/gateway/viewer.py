"""One viewer's connection: a bounded queue of frames, and a response that empties it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from sse_starlette import EventSourceResponse
from starlette.types import Receive, Scope, Send

PENDING_BYTES_MAX = 256 * 1024
"""A viewer that is further behind than this gets a fresh snapshot, once it can be written to."""
PING_S = 12
RETRY = b"retry: 1000\n\n"
"""How long a browser waits before it comes back, in milliseconds."""


class Viewer:
    """What waits to be sent to one connection."""

    def __init__(self, snapshot: Callable[[], bytes]) -> None:
        self._snapshot = snapshot
        self._pending: deque[bytes] = deque()
        self._bytes = 0
        self._behind = False
        self._wake = asyncio.Event()
        self._finishing = False
        self.ended = False

    def push(self, chunk: bytes) -> bool:
        """Queue a chunk; False where that makes this viewer skip to a snapshot."""
        if self._behind:
            return True
        self._pending.append(chunk)
        self._bytes += len(chunk)
        self._wake.set()
        if self._bytes <= PENDING_BYTES_MAX:
            return True
        self.skip()
        return False

    def skip(self) -> None:
        """Drop what waits; a snapshot, made when it can be sent, has it all."""
        self._pending.clear()
        self._bytes = 0
        self._behind = True
        self._wake.set()

    def end(self) -> None:
        """Say nothing more."""
        self.ended = True
        self._wake.set()

    def finish(self) -> None:
        """Say what waits, and nothing more; who is behind hears nothing more at all."""
        self._finishing = True
        self._behind = False
        self._wake.set()

    async def next(self) -> bytes | None:
        """Everything that waits, as one chunk; None at the end."""
        while not self._pending and not self._behind and not self.ended and not self._finishing:
            self._wake.clear()
            await self._wake.wait()
        if self.ended or (self._finishing and not self._pending):
            return None
        if self._behind:
            snapshot = self._snapshot()
            self._behind = False
            return snapshot
        chunk = b"".join(self._pending)
        self._pending.clear()
        self._bytes = 0
        return chunk


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""  # Makes this a generator.


class ViewerResponse(EventSourceResponse):
    """sse-starlette's head, pings and life cycle; the frames come from the viewer, already encoded."""

    def __init__(self, viewer: Viewer, left: Callable[[], None]) -> None:
        super().__init__(_nothing(), ping=PING_S, headers={"Cache-Control": "no-store"}, sep="\n")
        self._viewer = viewer
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; HEAD gets the head alone."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left()  # At once, however it ended, and though it never began.

    async def _stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": RETRY, "more_body": True})
        while (chunk := await self._viewer.next()) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
