"""Server-sent events as bytes (WHATWG HTML §9.2): blocks set apart by blank lines, and the fields in them. Pure.

On bytes, not on lines of text: a JSON string may hold U+2028 or U+0085 as they are, and `str.splitlines` would cut there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

EVENT_BYTES_MAX: Final = 1024 * 1024


class EventTooLongError(ValueError):
    """An event that goes on beyond the limit."""


class Blocks:
    """Incremental: the same bytes give the same blocks however they are cut. Lines within a block end in LF."""

    def __init__(self, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._rest = bytearray()
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The blocks that these bytes complete. EventTooLongError."""
        rest = self._rest
        if len(rest) > self._bytes_max:
            raise EventTooLongError
        if self._held or b"\r" in data:
            data = self._held + data
            # It may be the first half of CRLF: what comes next decides.
            self._held = b"\r" if data.endswith(b"\r") else b""
            data = data[: len(data) - len(self._held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if rest:
            # The blank line may be cut in two.
            halved = rest.endswith(b"\n") and data.startswith(b"\n")
            rest += data
            if not halved and b"\n\n" not in data:
                return []
            data = bytes(rest)
            rest.clear()
        *blocks, last = data.split(b"\n\n")
        rest += last
        return blocks


class ServerSentEvent(NamedTuple):
    """One event; `id` is empty where it has none of its own."""

    type: str
    data: bytes
    id: str


def event_of(block: bytes) -> ServerSentEvent | None:
    """The event of a block; None for a comment, and for what has no data."""
    type_, id_ = "message", ""
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                data.append(value)
            case b"event":
                type_ = value.decode()
            case b"id":
                id_ = value.decode()
            case _:
                pass  # `retry`, comments, and what may come to be.
    return ServerSentEvent(type_, b"\n".join(data), id_) if data else None
