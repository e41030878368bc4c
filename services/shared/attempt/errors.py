"""Everything that can go wrong, one row each: what to do next, on whom it counts, what the reader reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from schemas.values import ErrorKind
from services.shared.health.model import Manner

Again = Literal["same", "other", "repair", "never"]
"""`same`: the same model once more, then the next of the chain. `other`: the next model at once, this one no more. `repair`: the
same model, once, with its answer and what is wrong with it. `never`: trying again would change nothing."""

Against = Literal["model", "document", "nobody"]
"""Whose record it spoils: a model's (its breaker, its limits), the document's (its own doing), or nobody's."""


class Row(msgspec.Struct, frozen=True):
    """One kind of error."""

    again: Again
    against: Against
    reads: str
    """For the reader, where the call itself had no better words."""


ERRORS: Final[Mapping[ErrorKind, Row]] = {
    # Before the stream, or instead of it.
    "rate_limited": Row("same", "model", "The model's provider asked for fewer calls."),
    "overloaded": Row("same", "model", "The model's provider is overloaded."),
    "server_error": Row("same", "model", "The model's provider had an error of its own."),
    "connection": Row("same", "model", "The model's provider could not be reached."),
    "slow_start": Row("same", "model", "The model did not begin to answer in time."),
    "unauthorized": Row("other", "model", "The model's provider did not accept the key, or the account is used up."),
    "model_unknown": Row("other", "model", "The model's provider does not know this model."),
    "no_model": Row("other", "document", "No configured provider answers to this model's name."),
    "bad_request": Row("other", "document", "The model's provider did not accept the request."),
    "context_length": Row("other", "document", "The prompt is too long for this model."),
    # Inside the stream.
    "cut": Row("same", "model", "The answer broke off before its end."),
    "stalled": Row("same", "model", "The model fell silent in the middle of its answer."),
    "garbled": Row("same", "model", "The model's provider sent something that cannot be read."),
    # About the answer.
    "refused": Row("other", "document", "The model refused to answer."),
    "bad_answer": Row("repair", "document", "The answer did not have the form that was asked for."),
    "bad_outline": Row("repair", "document", "The planned outline cannot be written."),
    # Answers that would not halt are cut and kept: no error of the cell.
    "repetition": Row("never", "nobody", "The model repeated itself without end; the text was cut."),
    "too_long": Row("never", "nobody", "The text reached its length limit and was cut."),
    # About the job.
    "deadline": Row("never", "nobody", "There was no time left."),
    "budget": Row("never", "document", "The document's budget is spent."),
    "poison": Row("never", "nobody", "Writing this ended its writer again and again; it was taken off the queue."),
    "bad_source": Row("never", "document", "A source cannot be read."),
}


def manner_of(kind: ErrorKind) -> Manner:
    """How a call that ended so leaves its model. What is the document's fault or nobody's teaches nothing about the model."""
    match kind:
        case "rate_limited":
            return "refused"
        case "overloaded":
            return "overloaded"
        case _:
            return "failed" if against(kind) == "model" else "closed"


def against(kind: ErrorKind) -> Against:
    """On whom an error counts."""
    return ERRORS[kind].against
