"""The only place that reads time."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Wall clock, milliseconds since the Unix epoch: for what is written down."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> float:
    """A clock that never jumps, milliseconds: for measuring how long something took."""
    return time.perf_counter_ns() / 1_000_000


def thought_ms() -> float:
    """What this thread has computed so far, milliseconds: does not count what others computed meanwhile on a busy machine."""
    return time.thread_time_ns() / 1_000_000


def now_exact_ms() -> float:
    """Wall clock with fractions of a millisecond: for comparing what two processes on one machine saw."""
    return time.time_ns() / 1_000_000
