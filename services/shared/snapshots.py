"""Snapshots in the object store: parts first, then the info that makes them one, then away with what was there before."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import NamedTuple, cast, get_args

from nats.js.errors import APIError

from schemas import subjects
from schemas.compaction import Version
from schemas.document import Document
from schemas.snapshots import (
    FOLD_VERSION,
    Info,
    Kind,
    decode_info,
    digest,
    encode_info,
    seal,
    unseal,
    usable,
)
from services.shared.bus import Bus
from services.shared.erase import erase
from services.shared.log import WRONG_LAST_SEQUENCE, Stored, read

STREAM = f"OBJ_{subjects.SNAPSHOTS}"
NAME_BYTES = 8
PUBLISH_S = 5.0
CELLS_ON_THE_LOOP_MAX = 100
"""A larger document is encoded and packed in a thread."""


class Known(NamedTuple):
    """An info, and where it stands."""

    info: Info | None
    """None: of a version that said something else."""
    at: int


class Loaded(NamedTuple):
    """A document, and the last fact that is in it."""

    document: Document
    fact: bytes


class Snapshots:
    """Those of all documents. Who does not find a stream has none."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def known(self, document: str) -> dict[Kind, Known]:
        """What there is of a document."""
        found: dict[Kind, Known] = {}
        async for stored in read(self._bus.client, STREAM, subjects.snapshot_info(document)):
            kind = stored.subject.rsplit(".", 1)[1]
            if kind in get_args(Kind):
                found[cast("Kind", kind)] = Known(decode_info(stored.data), stored.sequence)
        return found

    async def usable(self, document: str, *, is_whole: bool) -> list[Info]:
        """In which order to try them."""
        known = await self.known(document)
        return usable({kind: one.info for kind, one in known.items() if one.info is not None}, is_whole=is_whole)

    async def load(self, document: str, info: Info) -> Loaded | None:
        """The document; None where it is torn, or of another log than there is."""
        parts = read(
            self._bus.client, STREAM, subjects.snapshot_parts(document, sequence=info.sequence, name=info.name)
        )
        data = b"".join([stored.data async for stored in parts])
        folded = unseal(document, info, data)
        if folded is None:
            return None
        fact = await self._fact(document, info.sequence)
        return None if fact is None or digest(fact.data) != info.fact else Loaded(folded, fact.data)

    async def keep(self, document: Document, kind: Kind, forgets: tuple[Version, ...] = ()) -> bool:
        """Keep a document as it is; False where there is a later one, or somebody else was first."""
        before = (await self.known(document.id)).get(kind, Known(None, 0))
        # A base is never followed by an earlier one, whoever made it: what was before it may be gone.
        counts = before.info is not None and (kind == "base" or before.info.version == FOLD_VERSION)
        if counts and before.info is not None and before.info.sequence >= document.sequence:
            return False
        fact = await self._fact(document.id, document.sequence)
        if fact is None:
            return False  # It has been deleted.
        name = secrets.token_hex(NAME_BYTES)
        sealing = partial(seal, document, fact.data, name, forgets)
        sealed = await asyncio.to_thread(sealing) if len(document.cells) > CELLS_ON_THE_LOOP_MAX else sealing()
        mine = subjects.snapshot_parts(document.id, kind, document.sequence, sealed.info.name)
        for part in sealed.parts():
            await self._bus.js.publish(mine, part, timeout=PUBLISH_S)
        info = subjects.snapshot_info(document.id, kind)
        expected = {subjects.HEADER_EXPECTED: str(before.at)}
        try:
            ack = await self._bus.js.publish(info, encode_info(sealed.info), timeout=PUBLISH_S, headers=expected)
        except APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            await erase(self._bus, STREAM, mine)
            return False
        await erase(self._bus, STREAM, info, before=ack.seq)
        await self._clear(document.id, kind, document.sequence)
        return True

    async def _clear(self, document: str, kind: Kind, sequence: int) -> None:
        """Parts of earlier ones, whoever left them: one that is being kept in this moment is a later one."""
        old: set[str] = set()
        async for stored in read(self._bus.client, STREAM, subjects.snapshot_parts(document, kind)):
            if int(stored.subject.rsplit(".", 2)[1]) < sequence:
                old.add(stored.subject)
        for subject in old:
            await erase(self._bus, STREAM, subject)

    async def _fact(self, document: str, sequence: int) -> Stored | None:
        found = read(self._bus.client, subjects.FACTS, subjects.facts_stored(document), sequence - 1, only=1)
        async for stored in found:
            return stored if stored.sequence == sequence else None
        return None
