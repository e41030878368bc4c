"""Wishes, in the imperative: what a gateway asks of the conductor. Each may be refused; what came of it is a fact."""

from __future__ import annotations

import msgspec


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """A wish about one document, uttered at `asked_at_ms` (Unix epoch)."""

    document: str
    asked_at_ms: int


class StopDocument(Command, frozen=True, kw_only=True, tag=True):
    """Stop now, whoever is watching."""


class StopCell(Command, frozen=True, kw_only=True, tag=True):
    """Stop one cell that is queued or being written; the document goes on. The planner's cell is stopped with its document only."""

    cell: str


class ResumeDocument(Command, frozen=True, kw_only=True, tag=True):
    """Go on with a paused document, or with one that is complete but for cells that failed or were stopped: those are tried again.

    A cell that was stopped by itself stays so through a stop and a resume of its document.
    """


class DeleteDocument(Command, frozen=True, kw_only=True, tag=True):
    """Purge all that is kept of it. Its calls have been stopped."""


AnyCommand = StopDocument | StopCell | ResumeDocument | DeleteDocument

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyCommand).decode
