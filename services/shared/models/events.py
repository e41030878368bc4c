"""What a model's answer is made of, whichever protocol it came by."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.values import ErrorKind

FinishReason = Literal["stop", "length", "refusal", "content_filter"]


class Text(msgspec.Struct, frozen=True, gc=False):
    """The next piece of the answer, never empty."""

    text: str


class Thinking(msgspec.Struct, frozen=True, gc=False):
    """The model is at work on something that is not the answer: reasoning, or the words of a refusal."""


class Ping(msgspec.Struct, frozen=True, gc=False):
    """The connection is alive, which says nothing about the model."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """The provider's own count of tokens, as far as it has told."""

    tokens_in: int
    tokens_out: int


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The model said that this is its end. Last of its stream."""

    reason: FinishReason


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """The call failed; last of its stream. `message` is for readers: one or two plain sentences, no secrets."""

    kind: ErrorKind
    message: str
    retry_after_ms: int | None = None
    """How long the provider asked to be left alone, from now."""


StreamEvent = Text | Thinking | Ping | Usage | Finished | Trouble
"""All that a decoder sees."""

CallEvent = Text | Thinking | Usage | Finished | Trouble
"""What a caller is told. Exactly one `Finished` or `Trouble` ends it, unless the caller itself closed the call."""
