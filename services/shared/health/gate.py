"""The gate before all models of a process: who waits, what can happen, what is decided. Pure.

All times are milliseconds of the Unix epoch and come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.samples import HoldReason
from schemas.values import Lane
from services.shared.health.model import End, Health, Kind, News


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A call that wants a place."""

    ticket: int
    model: str
    lane: Lane = "interactive"
    document: str = ""
    kind: Kind = "first"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """All models of one process."""

    models: Mapping[str, Health] = {}
    waiting: tuple[Waiting, ...] = ()
    """In the order in which they came."""
    providers: Mapping[str, int] = {}
    """Calls at a time, where that is configured."""
    blocked: frozenset[str] = frozenset()
    """Models that whoever has another should not wait for, as of the last event."""


# -- What can happen ----------------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call wants a place."""

    at_ms: int
    waiting: Waiting


class HedgeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """`of` is silent beyond its model's p95: may a second call be made beside it, and which model is asked?"""

    at_ms: int
    of: int
    ticket: int
    chain: tuple[str, ...]


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True):
    """It wants none any more."""

    at_ms: int
    ticket: int


class Spoke(msgspec.Struct, frozen=True, kw_only=True):
    """A call has its first token."""

    at_ms: int
    ticket: int
    first_token_ms: int


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A call is over."""

    at_ms: int
    ticket: int
    end: End


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Another process says that a model is held."""

    at_ms: int
    model: str
    reason: HoldReason
    until_ms: int


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """Another process says that a model answers again."""

    at_ms: int
    model: str


class Ticked(msgspec.Struct, frozen=True, kw_only=True):
    """Time has passed: `wake_ms` was due."""

    at_ms: int


Event = Asked | HedgeAsked | Withdrawn | Spoke | Left | Held | Released | Ticked


# -- What is decided ----------------------------------------------------------------------------------------------------


class Granted(msgspec.Struct, frozen=True):
    """The call may be made, of this model."""

    ticket: int
    model: str


class Diverted(msgspec.Struct, frozen=True):
    """The model that it waits for is out of order for some time, or another is back in order: choose anew."""

    ticket: int


class GiveUp(msgspec.Struct, frozen=True):
    """This call is silent, and so is its model altogether: close it and ask another."""

    ticket: int


class Tell(msgspec.Struct, frozen=True):
    """Tell the other processes."""

    model: str
    news: News


Decision = Granted | Diverted | GiveUp | Tell
Step = tuple[Gate, tuple[Decision, ...]]
