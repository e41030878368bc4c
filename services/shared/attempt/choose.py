"""Which model is asked next, and when. Pure: the rules are `errors.ERRORS`, chance and the state of the world are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.shared.attempt.errors import ERRORS
from services.shared.attempt.events import Troubled
from services.shared.attempt.plan import Plan, Repair, Tries

TRIES_OF_ONE_MODEL = 2
BACKOFF_MS = 500
BACKOFF_MS_MAX = 20_000
PATIENCE_MS_MAX = 3_000
"""A provider that asks for a longer wait is left for the next model, if there is one."""


class Next(NamedTuple):
    """The next try, and when it is due."""

    tries: Tries
    at_ms: int


def first_model(chain: Sequence[str], avoid: frozenset[str]) -> str:
    """The first that is not known to be out of order; where all are, the first: somebody has to find out."""
    return next((model for model in chain if model not in avoid), chain[0])


def elsewhere(plan: Plan, tries: Tries, avoid: frozenset[str]) -> Tries | None:
    """The same try by a model that can be had, where its own cannot; None: it stays where it is."""
    if tries.model not in avoid:
        return None
    model = next((model for model in plan.chain if model not in avoid and model not in tries.out), None)
    return None if model is None else replace(tries, model=model, on_model=1)


def next_try(plan: Plan, tries: Tries, attempt: int, text: str, failed: Troubled) -> Next | None:
    """What follows a failed try; None: nothing does.

    Waiting is drawn with full jitter (Brooker, "Exponential Backoff And Jitter", 2015), is never shorter than what the provider
    asked for, and is left out where a model is asked that has not failed here.
    """
    again = ERRORS[failed.kind].again
    if tries.number >= plan.tries_max or again == "never":
        return None
    out = tries.out | ({tries.model} if again == "other" else frozenset[str]())
    if again == "repair" and tries.repair is not None:
        return None  # It had its chance.
    model = _next_model(plan, tries, failed, out)
    if model is None:
        return None
    tried = tries.tried | {tries.model}
    wait_ms = 0
    if model in tried and again != "repair":
        # The exponent is bounded by tries_max.
        wait_ms = round(failed.jitter * min(BACKOFF_MS * 2**tries.number, BACKOFF_MS_MAX))
        if model == tries.model:
            wait_ms = max(wait_ms, failed.retry_after_ms or 0)
    at_ms = failed.at_ms + wait_ms
    if at_ms >= plan.deadline_ms:
        return None
    following = Tries(
        number=tries.number + 1,
        model=model,
        on_model=tries.on_model + 1 if model == tries.model else 1,
        out=out,
        tried=tried,
        repair=Repair(text, failed.message) if again == "repair" else None,
        failed=attempt,
        failed_model=tries.model,
    )
    return Next(following, at_ms)


def _next_model(plan: Plan, tries: Tries, failed: Troubled, out: frozenset[str]) -> str | None:
    start = plan.chain.index(tries.model) if tries.model in plan.chain else 0
    others = [*plan.chain[start + 1 :], *plan.chain[:start]]
    usable = [model for model in others if model not in out]
    # One known to be out of order is asked only where nothing else is left.
    elsewhere = next((model for model in usable if model not in failed.avoid), usable[0] if usable else None)
    if tries.model in out:
        return elsewhere
    if ERRORS[failed.kind].again == "repair" or elsewhere is None:
        return tries.model
    tired = tries.on_model >= TRIES_OF_ONE_MODEL or tries.model in failed.avoid
    return elsewhere if tired or (failed.retry_after_ms or 0) > PATIENCE_MS_MAX else tries.model
