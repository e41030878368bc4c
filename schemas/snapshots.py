"""A folded document, kept so that its log need not be read from its beginning. Pure.

A snapshot stands on one fact: the last one that is in it, by sequence and digest. Where the log has another fact there, or none, the
snapshot is of another log, and is not used. So it may be missing, torn, or out of date, and never disagrees with the log.
"""

from __future__ import annotations

import hashlib
import pkgutil
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from schemas import document as documents
from schemas.compaction import Version
from schemas.document import Deleted, Document, Running
from schemas.events import DocumentCreated, DocumentDeleted, decode_fact

Kind = Literal["newest", "base"]
"""`newest`: for whoever opens the document. `base`: what is left of a log's beginning that was removed."""

FACTS_AT_REST_MIN = 500
"""A document that rests is kept anew after so many facts: reading them takes about as long as reading a snapshot, ..."""
FACTS_RUNNING_MIN = 2_000
"""... and one that runs after so many, ..."""
CELLS_A_FACT = 4
"""... or, where it is huge, after one fact for each so many of its cells: a snapshot has all of them again."""
PART_BYTES = 512 * 1024
SNAPSHOT_BYTES_MAX = 256 * 1024**2
"""Unpacked. A document beyond it is read from its log."""
PACKED_SHARE_MAX = 0.9
"""Packed only where that makes it so much smaller."""
PACKING_LEVEL = 1
"""Of zlib's nine: the higher ones take several times as long, and what they save is soon removed anyway."""

FOLDED_BY = ("attempts", "document", "edits", "events", "fold", "forecasts", "values")
"""The modules that say what a log comes to."""


def _version() -> str:
    digest = hashlib.sha256()
    for module in FOLDED_BY:
        digest.update(pkgutil.get_data("schemas", f"{module}.py") or b"")
    return digest.hexdigest()[:16]


FOLD_VERSION = _version()
"""Another one for every change of the fold, however small: what an earlier fold made is then made anew from the log."""


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a snapshot before it is read."""

    version: str
    """Of the fold that made it."""
    sequence: int
    """Of the last fact that is in it."""
    fact: str
    """The SHA-256 of that fact, as the log has it."""
    name: str
    """Of its parts."""
    parts: int
    size_bytes: int
    """Unpacked."""
    packed: bool
    digest: str
    """The SHA-256 of its parts, one after the other."""
    forgets: tuple[Version, ...] = ()
    """Of a base: sources that nobody can come back to. They are deleted before the last fact before it is."""


class Sealed(NamedTuple):
    """A snapshot, ready to be kept."""

    info: Info
    data: bytes

    def parts(self) -> Iterator[bytes]:
        """In pieces that a bus takes."""
        for at in range(0, len(self.data), PART_BYTES):
            yield self.data[at : at + PART_BYTES]


encode_info = msgspec.json.Encoder().encode
_decode_info = msgspec.json.Decoder(Info).decode


def decode_info(data: bytes) -> Info | None:
    """None where it says nothing that this version understands."""
    try:
        return _decode_info(data)
    except msgspec.DecodeError:
        return None


def digest(data: bytes) -> str:
    """Of a fact, or of a snapshot's bytes."""
    return hashlib.sha256(data).hexdigest()


def seal(document: Document, fact: bytes, name: str, forgets: tuple[Version, ...] = ()) -> Sealed:
    """`fact` is the last one that is in the document, as the log has it."""
    plain = documents.encode(document)
    packed = zlib.compress(plain, PACKING_LEVEL)
    is_packed = len(packed) < PACKED_SHARE_MAX * len(plain)
    data = packed if is_packed else plain
    info = Info(
        version=FOLD_VERSION,
        sequence=document.sequence,
        fact=digest(fact),
        name=name,
        parts=-(-len(data) // PART_BYTES),
        size_bytes=len(plain),
        packed=is_packed,
        digest=digest(data),
        forgets=forgets,
    )
    return Sealed(info, data)


def unseal(id_: str, info: Info, data: bytes) -> Document | None:
    """The document; None where this is not all of it, or does not decode."""
    if digest(data) != info.digest or info.size_bytes > SNAPSHOT_BYTES_MAX:
        return None
    try:
        plain = zlib.decompressobj().decompress(data, SNAPSHOT_BYTES_MAX) if info.packed else data
        document = documents.decode(plain)
    except (zlib.error, msgspec.DecodeError):
        return None
    return document if (document.id, document.sequence) == (id_, info.sequence) else None


def usable(infos: dict[Kind, Info], *, is_whole: bool) -> list[Info]:
    """In which order to try them. Of another fold's making only where the log is not whole, and so cannot be folded anew.

    Those decode as facts of another version do: a new field has a default, a changed meaning is a new class.
    """
    found = sorted(infos.values(), key=lambda info: (info.version == FOLD_VERSION, info.sequence), reverse=True)
    return [info for info in found if info.version == FOLD_VERSION or not is_whole]


def begins(fact: bytes) -> bool:
    """Whether a log whose first fact this is has lost none before it."""
    return isinstance(decode_fact(fact), DocumentCreated | DocumentDeleted)


def is_due(document: Document, facts: int) -> bool:
    """Whether a document is to be kept anew, `facts` after it was last."""
    match document.run:
        case Deleted():
            return False
        case Running():
            least = FACTS_RUNNING_MIN
        case _:
            least = FACTS_AT_REST_MIN
    return facts >= max(least, len(document.cells) // CELLS_A_FACT)
