"""What a delivery wants done. Pure."""

from __future__ import annotations

import msgspec

from schemas.events import AnyFact, AttemptStarted, CallReserved, TextAppended
from schemas.values import ErrorKind
from services.shared.attempt.plan import Release, Repair
from services.shared.attempt.states import AttemptState


class Admit(msgspec.Struct, frozen=True):
    """Wait for a place at this model; answered by `Admitted`. `again`: it has failed here before."""

    model: str
    again: bool = False


class Withdraw(msgspec.Struct, frozen=True):
    """Wait for a place no longer."""


class Claim(msgspec.Struct, frozen=True):
    """Append this fact if the log still wants the cell written; answered by `Claimed` or `Refused`."""

    fact: AttemptStarted | CallReserved


class StartCall(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the model."""

    attempt: int
    call: int
    model: str
    repair: Repair | None = None


class CloseCall(msgspec.Struct, frozen=True):
    """Close this call's socket now; answered by `CallClosed`."""

    call: int


class WaitUntil(msgspec.Struct, frozen=True):
    """Answered by `RetryDue`."""

    at_ms: int


class Append(msgspec.Struct, frozen=True):
    """Append this fact."""

    fact: AnyFact


class Ink(msgspec.Struct, frozen=True, gc=False):
    """Publish this text."""

    ink: TextAppended


class Conclude(msgspec.Struct, frozen=True, kw_only=True):
    """Append the fact that the answer amounts to."""

    at_ms: int
    attempt: int
    text: str
    model: str
    fell_back_from: str
    cut: ErrorKind | None
    cached: bool = False
    tokens_in: int
    tokens_out: int
    cost: float
    first_token_ms: int | None
    duration_ms: int


class LetGo(msgspec.Struct, frozen=True):
    """Last of all: settle with the queue. Before this, a crash costs a repeat, never a loss."""

    how: Release


Effect = Admit | Withdraw | Claim | StartCall | CloseCall | WaitUntil | Append | Ink | Conclude | LetGo

Step = tuple[AttemptState, tuple[Effect, ...]]
"""The state after an event, and what is to be done, in this order."""
