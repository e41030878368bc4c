"""What this end of the wire saw: when each call began and spoke, and the moment its connection was closed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from services.simulator.dials import Vice

CALLS_MAX: Final = 20_000

Outcome = Literal["open", "finished", "failed", "client_gone"]


class CallRecord(msgspec.Struct, kw_only=True):
    """One call. Times are wall clock, milliseconds since the Unix epoch with fractions; None: it did not come to that."""

    id: str
    model: str
    protocol: Literal["openai", "anthropic"]
    prompt_digest: str
    seed: int
    ordinal: int
    """Which repeat of this prompt it is, from 0: together with the seed it replays the call."""
    began_at_ms: float
    stream: bool
    tokens_in: int
    document: str = ""
    cell: str = ""
    attempt: str = ""
    call: str = ""
    vice: Vice | Literal["limit"] | None = None
    status: int | None = None
    tokens_sent: int = 0
    first_token_at_ms: float | None = None
    last_token_at_ms: float | None = None
    ended: Outcome = "open"
    ended_at_ms: float | None = None
    gone_at_ms: float | None = None
    """When the client's end of the connection was seen to close before the answer was over."""


class Records:
    """The last calls, oldest first, and which of them are open."""

    def __init__(self, calls_max: int = CALLS_MAX) -> None:
        self._calls_max = calls_max
        self._calls: dict[str, CallRecord] = {}
        self._open: dict[str, CallRecord] = {}

    def begin(self, record: CallRecord) -> None:
        """Write a call down; the oldest one that is too many is forgotten."""
        self._calls[record.id] = record
        self._open[record.id] = record
        if len(self._calls) > self._calls_max:
            del self._calls[next(iter(self._calls))]

    def end(self, record: CallRecord, ended: Outcome, at_ms: float) -> None:
        """The call is over. The first word on how it ended counts."""
        if self._open.pop(record.id, None) is None:
            return
        record.ended = ended
        record.ended_at_ms = at_ms
        if ended == "client_gone":
            record.gone_at_ms = at_ms

    def calls(self, document: str | None = None, since_ms: float = 0.0) -> list[CallRecord]:
        """The calls of a document (None: of all) that were open or ended at `since_ms` or later."""
        return [
            record
            for record in self._calls.values()
            if (document is None or record.document == document)
            and (record.ended_at_ms is None or record.ended_at_ms >= since_ms)
        ]

    def open(self, document: str | None = None) -> list[CallRecord]:
        """The calls that go on now."""
        return [record for record in self._open.values() if document is None or record.document == document]

    def forget(self) -> int:
        """Forget all that are over, and say how many."""
        over: Iterable[str] = [id_ for id_ in self._calls if id_ not in self._open]
        for id_ in over:
            del self._calls[id_]
        return len(list(over))
