"""What holds for a whole delivery, and what is known of its tries and calls. Pure.

All times are milliseconds of the Unix epoch and come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from schemas.values import ErrorKind
from services.shared.models.registry import Price

Release = Literal["ack", "nak", "leave"]
"""What becomes of a job: done with; for another writer, at once; somebody else's business."""


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

    def instead_of(self, model: str) -> str:
        """The model that would be asked, were it well, where that is not this one."""
        return "" if model == self.chain[0] else self.chain[0]


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
