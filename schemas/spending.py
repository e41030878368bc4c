"""What a document may still spend. Pure, and the one answer that conductor and writers give to that question."""

from __future__ import annotations

import math

from schemas.document import Document


def committed(document: Document) -> float:
    """US dollars: what was spent, and what the calls that are open, or that nobody settled, may come to at most."""
    return document.ledger.cost + sum(call.cost_max for call in document.open_calls.values())


def left(document: Document) -> float:
    """US dollars that no call has spent or reserved; infinite without a budget, negative where calls cost more than they should."""
    budget = document.policy.budget
    return math.inf if budget is None else budget - committed(document)


def affords(document: Document, cost_max: float) -> bool:
    """Whether one more call, which comes to so much at most, stays within the document's budget. What is free always does."""
    return cost_max <= 0 or cost_max <= left(document)


def cell_affords(document: Document, cell: str, cost_max: float) -> bool:
    """The same for the budget that the policy gives each revision of each cell."""
    budget = document.policy.cell_budget
    if budget is None or cost_max <= 0:
        return True
    spent = document.cells[cell].cost if cell in document.cells else 0.0
    opened = sum(call.cost_max for key, call in document.open_calls.items() if key.partition("/")[0] == cell)
    return spent + opened + cost_max <= budget
