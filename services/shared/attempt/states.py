"""Where a delivery stands, and how it may end. Pure."""

from __future__ import annotations

import msgspec

from schemas.values import CancelReason, ErrorKind
from services.shared.attempt.events import Troubled
from services.shared.attempt.plan import Call, Release, Tries

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
    """Waits for a place at the model."""

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
