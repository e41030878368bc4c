"""Wishes, in the imperative: what a gateway asks of the conductor. Each may be refused; what came of it is a fact."""

from __future__ import annotations

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """A wish about one document, uttered at `asked_at_ms` (Unix epoch)."""

    document: str
    asked_at_ms: int


class StopDocument(Command, frozen=True, kw_only=True, tag=True):
    """Stop now, whoever is watching."""


class ResumeDocument(Command, frozen=True, kw_only=True, tag=True):
    """Go on with a paused document; cells that had failed for good are tried again."""


class DeleteDocument(Command, frozen=True, kw_only=True, tag=True):
    """Purge all that is kept of it. Its calls have been stopped."""


AnyCommand = StopDocument | ResumeDocument | DeleteDocument

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyCommand).decode
