"""What waits to be sent to one control room: facts in full, everything else as far as there is room. Pure."""

from __future__ import annotations

from collections import deque

import msgspec

from schemas.operations import Dropped, encode

LOSSY_BYTES_MAX = 256 * 1024
"""With more than this waiting, only facts are still taken in."""
BYTES_MAX = 8 * 1024 * 1024
"""With more than this waiting, the connection ends; who comes back reads the facts from the log, at its own pace."""


class Outbox:
    """Frames in their order, and how many were left out."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self.is_over = False
        """More waits than may: nothing is taken in any more."""

    def __bool__(self) -> bool:
        return bool(self._frames) or self._dropped > 0

    def put(self, frame: bytes, *, is_fact: bool) -> None:
        """One more, or one left out."""
        if self.is_over:
            return
        if not is_fact and self._bytes + len(frame) > LOSSY_BYTES_MAX:
            self._dropped += 1
            return
        if self._bytes + len(frame) > BYTES_MAX:
            self.is_over = True
            return
        self._frames.append(frame)
        self._bytes += len(frame)

    def take(self) -> bytes:
        """All that waits, and a note of what was left out since the last time."""
        if self._dropped:
            self._frames.append(b"event: Dropped\ndata: %b\n\n" % encode(Dropped(dropped=self._dropped)))
            self._dropped = 0
        chunk = b"".join(self._frames)
        self._frames.clear()
        self._bytes = 0
        return chunk


def operation_frame(operation: msgspec.Struct, fact_sequence: int | None) -> bytes:
    """One event. Only a fact has an id: what is not kept is not to be asked for again."""
    id_ = b"" if fact_sequence is None else b"id: %d\n" % fact_sequence
    return b"event: Operation\n%bdata: %b\n\n" % (id_, encode(operation))
