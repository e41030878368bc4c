"""What the two protocols have in common: a request, understood, and a face that turns steps into bytes."""

from __future__ import annotations

from typing import Final, Literal, Protocol

import msgspec

from services.simulator.json_schema import Schema
from services.simulator.schedule import EndReason, Usage

encode = msgspec.json.Encoder().encode

ProtocolName = Literal["openai", "anthropic"]
ABSURD: Final = 10


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What every chunk of one answer repeats."""

    id: str
    model: str
    created_s: int
    tokens_in: int
    include_usage: bool = True
    refusing: bool = False


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request of either protocol."""

    model: str
    system: str
    user: str
    schema: Schema | None = None
    stream: bool = False
    tokens_max: int | None = None
    include_usage: bool = False


class NotAQuestionError(ValueError):
    """A request body that the protocol does not allow."""


class Face(Protocol):
    """One answer's bytes."""

    def opening(self) -> bytes:
        """Name the role."""
        ...

    def said(self, text: str) -> bytes:
        """Send one token."""
        ...

    def ping(self) -> bytes:
        """Be alive, say nothing."""
        ...

    def broke(self) -> bytes:
        """Put an error where a chunk should be."""
        ...

    def ending(self, reason: EndReason, tokens: int, usage: Usage, *, doubled: bool) -> bytes:
        """End as the protocol ends, saying it twice where `doubled`."""
        ...

    def whole(self, text: str, reason: EndReason | None, tokens: int, usage: Usage) -> bytes:
        """The answer to a call that does not stream; `reason` None: it does not say why it ended."""
        ...


class Language(Protocol):
    """A protocol."""

    name: ProtocolName
    id_prefix: str

    def read(self, body: bytes) -> Question:
        """Understand a request. Raises NotAQuestionError."""
        ...

    def face(self, head: Head) -> Face:
        """Begin an answer."""
        ...

    def error(self, status: int, message: str) -> bytes:
        """The body of an error response."""
        ...


def counted(tokens_in: int, tokens_out: int, usage: Usage) -> tuple[int, int] | None:
    """What the provider claims that a call used; None: it claims nothing."""
    match usage:
        case "right":
            return tokens_in, tokens_out
        case "absent":
            return None
        case "zero":
            return 0, 0
        case "tenfold":
            return tokens_in * ABSURD, tokens_out * ABSURD
