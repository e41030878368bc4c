"""Following a document for as long as somebody wants to: the fold of its events, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import httpx2

from schemas import document as documents
from schemas.document import Document
from schemas.events import TextAppended, decode_event
from schemas.fold import fold, fold_ink
from services.client.problems import Problem
from services.shared.clock import monotonic_ms
from services.shared.sse import ServerSentEvent

RETRY_FIRST_S = 0.25
RETRY_MAX_S = 5.0
PATIENCE_MS = 120_000
"""Longer than any restart takes, and than a model is silent."""
SERVER_ERROR = 500

Connect = Callable[[str], AsyncGenerator[ServerSentEvent]]
"""From the last id that was seen, or an empty one: the events of one connection."""


async def watch(connect: Connect) -> AsyncGenerator[Document]:
    """The document after each event."""
    folded: Document | None = None
    last_id = ""
    delay_s = RETRY_FIRST_S
    lost_ms: float | None = None
    while True:
        try:
            # Closed with us, not some time later by the garbage collector: it counts as a viewer while it is open.
            async with aclosing(connect(last_id)) as events:
                async for event in events:
                    delay_s, lost_ms = RETRY_FIRST_S, None
                    last_id = event.id or last_id
                    folded = _after(folded, event)
                    if folded is not None:
                        yield folded
        except httpx2.HTTPError:
            # Lost: come back with the last id.
            lost_ms = lost_ms or monotonic_ms()
            if monotonic_ms() - lost_ms > PATIENCE_MS:
                raise
        except Problem as problem:
            if problem.status < SERVER_ERROR:
                raise
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, RETRY_MAX_S)


def _after(document: Document | None, event: ServerSentEvent) -> Document | None:
    if event.type == "snapshot":
        return documents.decode(event.data)
    if document is None or event.type == "CaughtUp":
        return document
    told = decode_event(event.data)
    if isinstance(told, TextAppended):
        return fold_ink(document, told)
    _epoch, sequence, _ink = event.id.split("-")
    return fold(document, told, int(sequence))
