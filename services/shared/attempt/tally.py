"""What a call may cost, and what it came to. Pure."""

from __future__ import annotations

from typing import Final

from schemas.events import CallSettled
from schemas.values import CallOutcome, ErrorKind
from services.shared.attempt.plan import Call, Plan, Repair, Usage
from services.shared.models.registry import TOKENS_PER_PRICE, Price

CHARACTERS_PER_TOKEN = 4
"""An estimate for where no provider has counted."""
CHARACTERS_PER_TOKEN_MIN = 2
"""For the most that a prompt may come to."""
CHARACTERS_PER_TOKEN_MAX = 12
"""A text with more than this for each token that it may have comes from a model that does not count."""

REPAIR_WORDS_CHARACTERS = 200
"""What the request for a repair says beside the answer and the problem."""
TOKENS_IN_FACTOR_MAX = 4
"""A count of more than so many times what a prompt may come to, two tokens a character, is not believed."""

UNBILLED: Final[frozenset[ErrorKind]] = frozenset(
    {
        "rate_limited",
        "overloaded",
        "connection",
        "unauthorized",
        "model_unknown",
        "no_model",
        "bad_request",
        "context_length",
    }
)
"""Refused before the model began: nothing is owed."""


def estimated(characters: int) -> int:
    """Tokens of a text."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def characters_max(plan: Plan) -> int:
    """The longest text that is taken, whatever the model thinks of its limit."""
    return plan.tokens_out_max * CHARACTERS_PER_TOKEN_MAX


def cost(plan: Plan, model: str, tokens_in: int, tokens_out: int) -> float:
    """US dollars."""
    price = plan.prices.get(model, Price())
    return (price.input * tokens_in + price.output * tokens_out) / TOKENS_PER_PRICE


def tokens_in_max(plan: Plan, repair: Repair | None) -> int:
    """The most that a call's prompt may come to: one that is to be repaired is longer by the answer and what is wrong with it."""
    more = 0 if repair is None else len(repair.answer) + len(repair.problem) + REPAIR_WORDS_CHARACTERS
    return plan.tokens_in_max + -(-more // CHARACTERS_PER_TOKEN_MIN)


def reserved(plan: Plan, model: str, repair: Repair | None = None) -> float:
    """The most that one call may cost."""
    return cost(plan, model, tokens_in_max(plan, repair), plan.tokens_out_max)


def settled(  # noqa: PLR0913 -- a bill has that many lines
    plan: Plan,
    attempt: int,
    call: Call,
    outcome: CallOutcome,
    at_ms: int,
    *,
    sent: bool = True,
    failed: ErrorKind | None = None,
) -> CallSettled:
    """The bill of a call that is over. The provider's count is exact where its call came to an end and it counted what we saw."""
    usage = call.usage
    if not sent or (failed in UNBILLED and not call.characters):
        tokens_in, tokens_out, exact = 0, 0, True
    elif usage is not None and outcome == "finished" and believable(plan, usage):
        tokens_in, tokens_out, exact = usage.tokens_in, usage.tokens_out, True
    else:
        tokens_in = plan.tokens_in_max * CHARACTERS_PER_TOKEN_MIN // CHARACTERS_PER_TOKEN
        tokens_out, exact = estimated(call.characters), False
    return CallSettled(
        at_ms=at_ms,
        cell=plan.cell,
        attempt=attempt,
        call=call.number,
        model=call.model,
        outcome=outcome,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=cost(plan, call.model, tokens_in, tokens_out),
        exact=exact,
        duration_ms=max(at_ms - call.started_ms, 0),
        first_token_ms=call.first_token_ms,
    )


def believable(plan: Plan, usage: Usage) -> bool:
    """Whether a provider's count can be right: some send none, some nonsense."""
    return 0 < usage.tokens_out <= plan.tokens_out_max and usage.tokens_in <= TOKENS_IN_FACTOR_MAX * plan.tokens_in_max


def saved_cost(plan: Plan, calls: tuple[Call, ...]) -> float:
    """What the tokens of `saved` would have cost."""
    return sum(cost(plan, call.model, 0, saved(plan, (call,))) for call in calls)


def saved(plan: Plan, calls: tuple[Call, ...]) -> int:
    """Tokens that the open calls might still have written, at most."""
    return sum(max(plan.tokens_out_max - estimated(call.characters), 0) for call in calls)
