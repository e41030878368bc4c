"""A source's extracted text, cut into passages with exact spans. Kept in the object store beside the bytes."""

from __future__ import annotations

import msgspec


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is the source's extracted text from `start` to `end` (code points), to the letter."""

    number: int
    """Counts from 1 within its source."""
    start: int
    end: int
    text: str
    page: int | None = None
    """Counts from 1, where the source has pages."""
    heading: str = ""
    """The nearest heading above it."""


class Passages(msgspec.Struct, frozen=True, kw_only=True):
    """All of one source, in order. `digest` is the SHA-256 of `text`."""

    source: str
    name: str
    digest: str
    text: str
    passages: tuple[Passage, ...]
    pages: int = 0


class PassagesRead(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is shown of a source: its passages, which have all of its text between them."""

    source: str
    name: str
    pages: int
    passages: tuple[Passage, ...]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Passages).decode
