"""Attempt numbers: one integer that only grows, made with no clock and nobody to ask.

An attempt is one try at writing one revision of a cell. Its number packs what the bus already counts:

    attempt = job * 1_000_000 + delivery * 1_000 + try

`job` counts the times this cell was queued (the conductor writes it into `CellQueued`), `delivery` is JetStream's delivery
count of that job's message, `try` counts the writer's own tries within one delivery. A later number always outranks an
earlier one, so a writer that was frozen and comes back is outranked by whoever took its job over.
"""

from __future__ import annotations

JOBS_MAX = 9_000_000
DELIVERIES_MAX = 999
TRIES_MAX = 999


def attempt_number(job: int, delivery: int, try_: int) -> int:
    """The number of one try. All three count from 1; ValueError when one is out of range."""
    if not (1 <= job <= JOBS_MAX and 1 <= delivery <= DELIVERIES_MAX and 1 <= try_ <= TRIES_MAX):
        msg = f"no attempt has job={job}, delivery={delivery}, try={try_}"
        raise ValueError(msg)
    return job * 1_000_000 + delivery * 1_000 + try_


def job_of(attempt: int) -> int:
    """The job that an attempt belongs to."""
    return attempt // 1_000_000


def spelled(attempt: int) -> str:
    """`job.delivery.try`, for people."""
    return f"{attempt // 1_000_000}.{attempt // 1_000 % 1_000}.{attempt % 1_000}"
