"""When a process that died is started again. Pure."""

from __future__ import annotations

import msgspec

BACKOFF_FIRST_MS = 200
BACKOFF_MAX_MS = 5_000
HEALTHY_AFTER_MS = 20_000
"""Having run this long, a process starts with a clean slate."""


class Lives(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a process: since when it runs, and how often it died soon after its start."""

    started_at_ms: float = 0.0
    deaths: int = 0


def started(lives: Lives, at_ms: float) -> Lives:
    """It runs."""
    return Lives(started_at_ms=at_ms, deaths=lives.deaths)


def died(lives: Lives, at_ms: float) -> tuple[Lives, int]:
    """It died; start it again after so many milliseconds. Doubling from BACKOFF_FIRST_MS to BACKOFF_MAX_MS."""
    deaths = 1 if at_ms - lives.started_at_ms >= HEALTHY_AFTER_MS else lives.deaths + 1
    delay_ms = min(BACKOFF_FIRST_MS * 2 ** (deaths - 1), BACKOFF_MAX_MS)
    return Lives(started_at_ms=lives.started_at_ms, deaths=deaths), delay_ms
