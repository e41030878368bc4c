"""What services say about themselves over core NATS: once a second, and as soon as it concerns others. All of it may be lost.

`metrics.<service>` carries one sample a second from every process that asks models; the control room reads them. `models.holds`
tells the other processes what one of them has just learned about a model, so that they need not learn it at a price.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Breaker = Literal["closed", "open", "half_open"]
HoldReason = Literal["retry_after", "breaker_open"]


class ModelSample(msgspec.Struct, frozen=True, kw_only=True):
    """One model (`provider/model`), as one process sees it. Counts are since the process began."""

    model: str
    in_flight: int = 0
    """Calls that are open now."""
    waiting: int = 0
    """Calls that wait for a place."""
    limit: int = 0
    """Calls at a time, as found so far; it moves."""
    breaker: Breaker = "closed"
    held_until_ms: int | None = None
    """Unix epoch: no call before this, but a probe. By an open breaker, or because the provider said so."""
    first_token_p50_ms: int | None = None
    first_token_p95_ms: int | None = None
    """Over the last few minutes; None: too few calls to say."""
    calls: int = 0
    finished: int = 0
    failed: int = 0
    """For reasons that count against the model, `refused` included."""
    refused: int = 0
    """By 429, 503 or 529."""
    retries: int = 0
    """Calls that repeat a failed one of the same model."""
    retries_left: float = 0.0
    """What the retry budget has."""
    hedges: int = 0
    hedges_won: int = 0
    hedges_left: float = 0.0
    """What the hedge budget has."""


class CallerSampled(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """A process that asks models, once a second, on `metrics.writer` or `metrics.planner`."""

    at_ms: int
    name: str
    """As in `AttemptStarted.writer`."""
    service: Literal["writer", "planner"]
    jobs: int = 0
    """Being worked on."""
    slots: int = 0
    """The most at a time."""
    models: tuple[ModelSample, ...] = ()


AnySample = CallerSampled


class ModelHeld(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Do not call this model before `until_ms` (Unix epoch)."""

    at_ms: int
    by: str
    """The process that was told so, or found out."""
    model: str
    until_ms: int
    reason: HoldReason


class ModelReleased(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """It answers again: whoever holds it because its breaker was open may try."""

    at_ms: int
    by: str
    model: str


class HoldsAsked(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """A process begins, or was away: whoever holds a model says so again."""

    at_ms: int
    by: str


AnyHold = ModelHeld | ModelReleased | HoldsAsked

encode = msgspec.json.Encoder().encode
decode_sample = msgspec.json.Decoder(AnySample).decode
decode_hold = msgspec.json.Decoder(AnyHold).decode
