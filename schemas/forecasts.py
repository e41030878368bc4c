"""What work was expected to come to, put to the test when it is over. Part of the fold; pure."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.document import Document, Forecast, Reckoning, Running
from schemas.events import CallSettled, Edit
from schemas.values import Estimate


def foreseen(document: Document, fact: Edit) -> Document:
    """An edit's estimate is added to that of the work that goes on; at rest, it begins one."""
    if fact.estimate is None:
        return document
    was = document.forecast
    if was is None or not isinstance(document.run, Running):
        ledger = document.ledger
        return replace(
            document,
            forecast=Forecast(
                estimate=fact.estimate,
                since_ms=fact.at_ms,
                calls=ledger.calls,
                tokens_in=ledger.tokens_in,
                tokens_out=ledger.tokens_out,
                cost=ledger.cost,
            ),
        )
    return replace(document, forecast=replace(was, estimate=_sum(was.estimate, fact.estimate)))


def reckoned(document: Document, at_ms: int) -> Document:
    """The work is over: what was expected stands beside what it came to."""
    was, ledger = document.forecast, document.ledger
    if was is None:
        return document
    actual = Estimate(
        cells=sum(
            cell.completed is not None and cell.completed.at_ms >= was.since_ms for cell in document.cells.values()
        ),
        calls=ledger.calls - was.calls,
        tokens_in=ledger.tokens_in - was.tokens_in,
        tokens_out=ledger.tokens_out - was.tokens_out,
        cost=ledger.cost - was.cost,
        duration_ms=max(at_ms - was.since_ms, 0),
    )
    return replace(document, forecast=None, reckoning=Reckoning(at_ms=at_ms, estimate=was.estimate, actual=actual))


def billed(document: Document, fact: CallSettled) -> Document:
    """A bill that comes right behind the end is part of what the work came to: its call had been counted when it was reserved."""
    was = document.reckoning
    if was is None or isinstance(document.run, Running):
        return document
    actual = replace(
        was.actual,
        tokens_in=was.actual.tokens_in + fact.tokens_in,
        tokens_out=was.actual.tokens_out + fact.tokens_out,
        cost=was.actual.cost + fact.cost,
    )
    return replace(document, reckoning=replace(was, actual=actual))


def _sum(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(
        cells=one.cells + other.cells,
        calls=one.calls + other.calls,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_out=one.tokens_out + other.tokens_out,
        cost=one.cost + other.cost,
        duration_ms=one.duration_ms + other.duration_ms,
    )
