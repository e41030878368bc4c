"""What can happen to a delivery. Pure; all times are milliseconds of the Unix epoch and come from outside."""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.events import AnyFact
from schemas.values import CancelReason, ErrorKind
from services.shared.attempt.plan import Release, Usage
from services.shared.models.events import FinishReason


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """The job is wanted and its prompt is made."""

    at_ms: int
    avoid: frozenset[str] = frozenset()
    """Models that are known not to answer just now."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """It was written before: this is the fact that it amounts to, and no model has to be asked."""

    at_ms: int
    fact: AnyFact


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """There is a place at the model."""

    at_ms: int


class Diverted(msgspec.Struct, frozen=True, kw_only=True):
    """The model whose place it waits for will not be had for some time, or another is back in order."""

    at_ms: int
    avoid: frozenset[str]


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """The log has the fact that `Claim` carried."""

    at_ms: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The log does not want that attempt."""

    at_ms: int
    release: Release


class TooDear(msgspec.Struct, frozen=True, kw_only=True):
    """The log would want it, and a budget does not leave what it may cost: the document's for now, or the cell's for good."""

    at_ms: int
    whose: Literal["document", "cell"]
    cost_max: float


class TextArrived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The model wrote on."""

    at_ms: int
    call: int
    text: str


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's count of a call."""

    call: int
    usage: Usage


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The model said that this is its end. `problem`: the answer has not the form that was asked for."""

    at_ms: int
    call: int
    reason: FinishReason
    problem: str | None = None
    jitter: float = 0.5
    avoid: frozenset[str] = frozenset()


class Troubled(msgspec.Struct, frozen=True, kw_only=True):
    """A call failed. `jitter` is a random number from 0 to 1."""

    at_ms: int
    call: int
    kind: ErrorKind
    message: str
    retry_after_ms: int | None = None
    jitter: float = 0.5
    avoid: frozenset[str] = frozenset()


class CallClosed(msgspec.Struct, frozen=True, kw_only=True):
    """The socket of a call that was told to close is closed."""

    at_ms: int
    call: int


class RetryDue(msgspec.Struct, frozen=True, kw_only=True):
    """`WaitUntil` is over."""

    at_ms: int


class HedgeDue(msgspec.Struct, frozen=True, kw_only=True):
    """The first token is later than the model's own p95, and there is a place for a second call to `model`."""

    at_ms: int
    model: str


class StopAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Close at once."""

    at_ms: int
    reason: CancelReason
    asked_at_ms: int
    outranked: bool = False
    """The same job is in other hands: it is theirs to acknowledge."""


class DeadlinePassed(msgspec.Struct, frozen=True, kw_only=True):
    """There is no time left."""

    at_ms: int


AttemptEvent = (
    Begin
    | Found
    | Admitted
    | Diverted
    | Claimed
    | Refused
    | TooDear
    | TextArrived
    | Counted
    | Ended
    | Troubled
    | CallClosed
    | RetryDue
    | HedgeDue
    | StopAsked
    | DeadlinePassed
)
