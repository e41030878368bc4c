"""A browser's side of an event stream, as cheap as can be: what came, and when."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

import httpx2


class Event(NamedTuple):
    """One server-sent event, and when its bytes were read: seconds since the Unix epoch."""

    type: str
    data: str
    at_s: float


async def events(client: httpx2.AsyncClient, url: str) -> AsyncGenerator[Event]:
    """The events of a stream until it ends or the loop is left, which closes the connection."""
    async with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as response:
        response.raise_for_status()
        rest = b""
        async for data in response.aiter_raw():
            at_s = time.time()
            *whole, rest = (rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
            for event in whole:
                lines = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line and line[:1] != b":")
                if b"data" in lines:
                    yield Event(lines.get(b"event", b"message").decode(), lines[b"data"].decode(), at_s)
