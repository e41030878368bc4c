"""The nouns of the core: what a delivery is about, where it stands, what can happen to it, what it wants done. Pure.

All times are milliseconds of the Unix epoch and come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from schemas.events import AnyFact, AttemptStarted, CallReserved, TextAppended
from schemas.values import CancelReason, ErrorKind
from services.shared.models.events import FinishReason
from services.shared.models.registry import Price


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the whole delivery of one job."""

    cell: str
    revision: int
    job: int
    delivery: int
    writer: str
    chain: tuple[str, ...]
    """`provider/model`, in fallback order; never empty."""
    deadline_ms: int
    tokens_in_max: int
    tokens_out_max: int
    tries_max: int
    prices: Mapping[str, Price] = {}
    structured: ErrorKind | None = None
    """None: prose, which readers see while it comes. Else the answer has a form, is shown to nobody before it is whole, and this
    is what it is called when it has not that form."""


class Repair(msgspec.Struct, frozen=True):
    """An answer that was not of the form asked for, and why not: the next call is told both."""

    answer: str
    problem: str


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """Which try this is, and what the ones before have taught."""

    number: int
    model: str
    on_model: int = 1
    """Tries of this model in a row, this one included."""
    out: frozenset[str] = frozenset()
    """Models that cannot help here."""
    tried: frozenset[str] = frozenset()
    repair: Repair | None = None
    failed: int | None = None
    """The attempt before, if there was one."""
    failed_model: str = ""


class Usage(msgspec.Struct, frozen=True):
    """A provider's count."""

    tokens_in: int
    tokens_out: int


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One open request."""

    number: int
    model: str
    started_ms: int
    first_token_ms: int | None = None
    """After its start."""
    characters: int = 0
    usage: Usage | None = None
    lost: bool = False
    """Another one spoke first; its socket is being closed."""


# -- Why an attempt ends ------------------------------------------------------------------------------------------------


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants it no more, or this writer cannot go on."""

    reason: CancelReason
    asked_at_ms: int
    release: Release


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """The cell has failed for good."""

    kind: ErrorKind
    message: str


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """The text is there; `cut` says why it ends early, if it does. `call` wrote it."""

    call: Call
    cut: ErrorKind | None = None


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """The call failed, and perhaps another can help."""

    trouble: Troubled


Ending = Stopped | GivenUp | Whole | Broken


# -- Where a delivery stands --------------------------------------------------------------------------------------------


class Fresh(msgspec.Struct, frozen=True):
    """Nothing is begun."""


class Admitting(msgspec.Struct, frozen=True):
    """Waits for a place at the model's provider."""

    tries: Tries


class Claiming(msgspec.Struct, frozen=True):
    """Its `AttemptStarted` is on its way into the log; no call may be made before it is there."""

    tries: Tries
    attempt: int


class Calling(msgspec.Struct, frozen=True, kw_only=True):
    """A call is open: silent until `text` has something, then speaking."""

    tries: Tries
    attempt: int
    calls: tuple[Call, ...]
    text: str = ""
    speaker: int | None = None
    looked: int = 0
    """So much of the text was looked at for repetition."""
    hedging: Call | None = None
    """Its `CallReserved` is on its way into the log."""
    hedged: bool = False


class Withdrawing(msgspec.Struct, frozen=True):
    """Ended while its `AttemptStarted` was on its way: what became of that is still to be heard."""

    tries: Tries
    attempt: int
    ending: Ending


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """Its sockets are being closed; what follows is decided."""

    tries: Tries
    attempt: int
    calls: tuple[Call, ...]
    closed: tuple[Call, ...]
    """What was open when the closing began."""
    text: str
    ending: Ending
    hedging: Call | None = None


class Pausing(msgspec.Struct, frozen=True):
    """The next try is due at `until_ms`."""

    tries: Tries
    until_ms: int


class Over(msgspec.Struct, frozen=True):
    """Done with; nothing changes it."""


AttemptState = Fresh | Admitting | Claiming | Calling | Withdrawing | Closing | Pausing | Over


# -- What can happen ----------------------------------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """The job is wanted and its prompt is made."""

    at_ms: int
    avoid: frozenset[str] = frozenset()
    """Models that are known not to answer just now."""


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """There is a place at the provider."""

    at_ms: int


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """The log has the fact that `Claim` carried."""

    at_ms: int


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The log does not want that attempt."""

    at_ms: int
    release: Release


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
    | Admitted
    | Claimed
    | Refused
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


# -- What is to be done -------------------------------------------------------------------------------------------------

Release = Literal["ack", "nak", "leave"]
"""What becomes of the job: done with; for another writer, at once; somebody else's business."""


class Admit(msgspec.Struct, frozen=True):
    """Wait for a place at this model's provider; answered by `Admitted`."""

    model: str


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
    cut: ErrorKind | None
    tokens_out: int
    cost: float
    first_token_ms: int | None
    duration_ms: int


class LetGo(msgspec.Struct, frozen=True):
    """Last of all: settle with the queue. Before this, a crash costs a repeat, never a loss."""

    how: Release


Effect = Admit | Withdraw | Claim | StartCall | CloseCall | WaitUntil | Append | Ink | Conclude | LetGo
