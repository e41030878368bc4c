"""The figures of all of it, in one place. Pure."""

from __future__ import annotations

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How models are treated. Times in milliseconds; shares are of calls."""

    # The breaker.
    failures_in_a_row: int = 5
    """At least. Finagle's failure accrual opens on as many ("Failure Accrual", Finagle user guide)."""
    by_chance: float = 1 / 3_000
    """Where calls fail in normal operation, a run of failures says something when it would come by chance in fewer calls than these:
    five of a model that fails a fifth of the time, fourteen of one that fails three fifths of the time."""
    outcomes_max: int = 40
    failed_min: int = 20
    failed_share: float = 0.85
    """Of so many, such a share: it is opened."""
    poor_min: int = 10
    poor_share: float = 0.5
    """Of so many, such a share: another model of the chain is asked, if one is well."""
    window_ms: int = 30_000
    open_ms: int = 1_000
    """The first time; each time that a probe fails it doubles."""
    open_ms_max: int = 30_000
    probe_ms: int = 10_000
    """A probe that is silent for longer has failed, where nothing is known of the model's own pace."""
    probes_to_close: int = 2
    """One at a time; one has succeeded when it speaks."""

    # Budgets: token buckets as in gRPC's retry throttling (proposal A6) and Finagle's RetryBudget.
    retry_share: float = 0.1
    retry_burst: float = 10.0
    retries_per_s: float = 1.0
    """Also without any other calls, so that what is left of a document can still be tried."""
    hedge_share: float = 0.05
    hedge_burst: float = 10.0

    # How many at a time.
    limit_first: int = 32
    limit_min: float = 0.1
    """Below one at a time there is one, and spacing does the rest."""
    limit_max: int = 200
    limit_after_open: int = 4
    """A model that has just come back is not met by everybody at once."""
    increase_max: float = 0.1
    decrease: float = 0.9
    """When it is slow."""
    decrease_max: float = 0.5
    """However many are refused, no more than this is taken away at once."""
    refused_weight: float = 1 / 32
    """Of the newest call in the share of those that were refused (RFC 8257 has a sixteenth, of many more packets)."""
    plateau_ms: int = 90_000
    """So long it stays about where it was last refused, before it looks again (as CUBIC does, RFC 9438)."""
    creep: float = 0.05
    """Meanwhile each accepted call adds this part of the share that is refused: below some five refusals in 100, that is more than
    they take away."""
    creep_share_max: float = 0.1
    """Where more are refused, it is for want of room."""
    plateau_share: float = 0.95
    slow_factor: float = 2.5
    """Slower than its own normal by this, it has too much to do."""
    slow_limit_min: int = 4
    """Slowness alone takes no model below this."""

    # Refusals.
    refused_hold_ms: int = 500
    """When 429 comes without Retry-After, doubled for each one in a row."""
    refused_hold_ms_max: int = 30_000
    pressed_ms: int = 30_000
    """So long after a refusal calls are spaced, not sent in a bunch."""
    duration_ms: int = 1_000
    """Of a call, as long as none has come to its end."""
    pace_gain: float = 1.5
    """Spaced as for this many times the steady rate: a smoother, not a limit of its own (TCP pacing does the same)."""
    patience_ms: int = 3_000
    """A hold that is shorter is waited for; a longer one sends to the next model."""

    # First tokens.
    samples_max: int = 200
    samples_min: int = 20
    """Fewer say nothing of a p95."""
    samples_age_ms: int = 300_000
    hedge_ms_min: int = 150
    """Earlier, a second call would hardly be faster than what is on its way."""
    overdue_min: int = 3
    overdue_share: float = 0.5
    """When so many, and such a share, of the calls that have not spoken are beyond its p95, the model itself is in trouble."""
