"""Work: what the conductor puts on the queue for planners, ingesters and writers.

A job names its work and carries nothing that the log knows better. Every job is idempotent: whoever takes it folds the log
first, and drops it when the log no longer wants it.
"""

from __future__ import annotations

import msgspec

from schemas.values import Lane


class Job(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Work for one document, worthless after `deadline_ms` (Unix epoch)."""

    document: str
    lane: Lane
    deadline_ms: int


class IngestSource(Job, frozen=True, kw_only=True, tag=True):
    """Cut one source into passages."""

    source: str
    given_at: int = 0
    """Which of the bytes that it was given, one after the other: the sequence of the fact that gave them."""


class PlanOutline(Job, frozen=True, kw_only=True, tag=True):
    """Make the outline; `revision` and `job` count as for any cell."""

    revision: int
    job: int


class WriteCell(Job, frozen=True, kw_only=True, tag=True):
    """Write one revision of one cell."""

    cell: str
    revision: int
    job: int


AnyJob = IngestSource | PlanOutline | WriteCell

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyJob).decode
