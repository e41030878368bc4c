"""Throws messages away so that they are gone from the disk, too.

A purge only forgets where messages are: their bytes stay in the stream's file until it is compacted. A message that is deleted by
its sequence is overwritten first (nats-server's `EraseMsg`; `no_erase` is what one would have to say to be spared that).
"""

from __future__ import annotations

import asyncio
import contextlib

from nats.js.errors import APIError

from services.shared.bus import Bus
from services.shared.log import read

AT_A_TIME = 64


async def erase(bus: Bus, stream: str, subject: str, before: int | None = None) -> None:
    """Everything that a stream has of a subject, or of it what stands before a sequence. May be done again."""
    found = read(bus.client, stream, subject)
    sequences = [stored.sequence async for stored in found if before is None or stored.sequence < before]
    for at in range(0, len(sequences), AT_A_TIME):
        await asyncio.gather(*(erase_one(bus, stream, sequence) for sequence in sequences[at : at + AT_A_TIME]))
    await bus.js.purge_stream(stream, subject=subject, seq=before)


async def erase_one(bus: Bus, stream: str, sequence: int) -> None:
    """One message. May be done again."""
    with contextlib.suppress(APIError):  # Gone already, or in a stream that only purges.
        await bus.js.delete_msg(stream, sequence)
