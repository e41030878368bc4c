"""Server-sent events, as bytes (WHATWG HTML §9.2), and the cursor that their ids carry. Pure."""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

FRAMES_BYTES_MAX = 2 * 1024 * 1024
"""How much of the past a hub keeps for viewers that come back."""

_CURSOR = re.compile(r"^([0-9a-f]{1,16})-(\d{1,18})-(\d{1,18})$")


class Cursor(NamedTuple):
    """How far a viewer is: the ink stream's incarnation, the last fact, the last ink."""

    epoch: int
    facts: int
    ink: int

    def __str__(self) -> str:
        return f"{self.epoch:x}-{self.facts}-{self.ink}"


def parse_cursor(text: str | None) -> Cursor | None:
    """What a client sent as `Last-Event-ID`; None where it is none of ours."""
    found = _CURSOR.match(text or "")
    return None if found is None else Cursor(int(found[1], 16), int(found[2]), int(found[3]))


def frame(event: str, data: bytes, cursor: Cursor) -> bytes:
    """One event. `data` is JSON on one line, as it was on the bus."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (event.encode(), str(cursor).encode(), data)


class Kept(NamedTuple):
    """An event of the past: which stream's, at which sequence."""

    is_ink: bool
    sequence: int
    event: str
    data: bytes


class Past:
    """The newest events of one document, and from where on they are complete."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        self._facts_from = 0
        self._ink_from = 0
        self._ink_seen = False

    def add(self, kept: Kept) -> None:
        """One more; the oldest ones go."""
        if kept.is_ink and not self._ink_seen:
            self._ink_seen = True  # What was before it may have been purged.
            self._ink_from = kept.sequence - 1
        self._kept.append(kept)
        self._bytes += len(kept.data)
        while self._bytes > FRAMES_BYTES_MAX:
            gone = self._kept.popleft()
            self._bytes -= len(gone.data)
            if gone.is_ink:
                self._ink_from = gone.sequence
            else:
                self._facts_from = gone.sequence

    def restart_ink(self) -> None:
        """The ink stream begins anew, and so do its sequences."""
        self._kept = deque(kept for kept in self._kept if not kept.is_ink)
        self._bytes = sum(len(kept.data) for kept in self._kept)
        self._ink_seen = False
        self._ink_from = 0

    def restart_facts(self, sequence: int) -> None:
        """What was before this one is not to be had."""
        self._kept = deque(kept for kept in self._kept if kept.is_ink)
        self._bytes = sum(len(kept.data) for kept in self._kept)
        self._facts_from = sequence

    def after(self, cursor: Cursor, now: Cursor) -> list[bytes] | None:
        """The frames between a viewer's cursor and now; None where they are not all here."""
        if (
            cursor.epoch != now.epoch
            or not self._facts_from <= cursor.facts <= now.facts
            or not self._ink_from <= cursor.ink <= now.ink
        ):
            return None
        frames: list[bytes] = []
        facts, ink = cursor.facts, cursor.ink
        for kept in self._kept:
            if kept.is_ink and kept.sequence > ink:
                ink = kept.sequence
            elif not kept.is_ink and kept.sequence > facts:
                facts = kept.sequence
            else:
                continue
            frames.append(frame(kept.event, kept.data, Cursor(now.epoch, facts, ink)))
        return frames
