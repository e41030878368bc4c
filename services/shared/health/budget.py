"""A budget for extra calls: a token bucket that ordinary calls fill, and a little the passing of time. Pure.

gRPC ("A6: gRPC Retry Design", retry throttling) and Finagle ("Retry Budgets", 2016) do the same: an outage makes every call fail,
so the share of failures says nothing about how much a provider can bear, but the share of ordinary calls does. Whatever happens,

    extra calls <= burst + share * ordinary calls + per_s * seconds.
"""

from __future__ import annotations

import msgspec

_ENOUGH = 1 - 1e-9
"""Ten tenths are one."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """What is left, as of `at_ms`."""

    tokens: float
    at_ms: int


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How a bucket is filled."""

    share: float
    burst: float
    per_s: float = 0.0


def tokens(rule: Rule, bucket: Bucket, at_ms: int) -> float:
    """What is in it at a time."""
    passed_s = max(at_ms - bucket.at_ms, 0) / 1_000
    return min(rule.burst, bucket.tokens + rule.per_s * passed_s)


def filled(rule: Rule, bucket: Bucket, at_ms: int) -> Bucket:
    """An ordinary call was made."""
    left = min(rule.burst, tokens(rule, bucket, at_ms) + rule.share)
    return Bucket(tokens=left, at_ms=max(at_ms, bucket.at_ms))


def taken(rule: Rule, bucket: Bucket, at_ms: int) -> Bucket | None:
    """An extra call is made; None: there is nothing to pay it with."""
    left = tokens(rule, bucket, at_ms)
    if left < _ENOUGH:
        return None
    return Bucket(tokens=max(left - 1, 0.0), at_ms=max(at_ms, bucket.at_ms))


def due_ms(rule: Rule, bucket: Bucket) -> int | None:
    """When there will be one token, if nobody calls until then; None: never."""
    if bucket.tokens >= _ENOUGH:
        return bucket.at_ms
    if rule.per_s <= 0 or rule.burst < _ENOUGH:
        return None
    return bucket.at_ms + int((1 - bucket.tokens) / rule.per_s * 1_000) + 1
