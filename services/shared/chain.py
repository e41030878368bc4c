"""Where a tail stands in one subject of a stream, told by sequences alone. Pure.

A republished message carries its own sequence and that of the message before it on the same subject; together they form a
chain, so that a plain subscription sees every gap (NATS `RePublish`, headers `Nats-Sequence` and `Nats-Last-Sequence`).
"""

from __future__ import annotations

from enum import Enum


class Link(Enum):
    """What a message is to a tail."""

    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"


def link(last: int, sequence: int, previous: int) -> Link:
    """What the message at `sequence`, which follows `previous`, is to a tail that has all up to `last`."""
    if sequence <= last:
        return Link.REPEAT
    return Link.NEXT if previous <= last else Link.GAP
