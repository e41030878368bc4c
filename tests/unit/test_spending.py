"""No order of facts, and no writer that knows less than the log, takes a document past its budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.attempts import attempt_number
from schemas.document import Document
from schemas.events import AnyFact, AttemptStarted, CallReserved, CallSettled, CellQueued, DocumentCreated
from schemas.fold import created, fold
from schemas.spending import affords, cell_affords, committed, left
from schemas.values import Policy, Section
from services.shared.attempt.look import short_of

BUDGET = 1.0
CELL_BUDGET = 0.6
CELLS = ("a", "b", "c")
ROUNDING = 1e-9


class Log:
    """The document's log, which takes a fact only where it is expected to end."""

    def __init__(self, policy: Policy) -> None:
        outline = tuple(Section(id=cell, heading=cell) for cell in CELLS)
        first = DocumentCreated(at_ms=0, title="T", brief="B", policy=policy, outline=outline)
        self.facts: list[AnyFact] = [first]
        self.documents: list[Document] = [created("d" * 32, first, 1)]
        for cell in CELLS:
            self.append(
                CellQueued(
                    at_ms=0, cell=cell, revision=1, job=1, input_digest="i", lane="interactive", deadline_ms=1_000
                )
            )

    @property
    def document(self) -> Document:
        return self.documents[-1]

    def append(self, fact: AnyFact, expected: int | None = None) -> bool:
        if expected is not None and expected != len(self.facts):
            return False
        self.facts.append(fact)
        self.documents.append(fold(self.document, fact, len(self.facts)))
        return True


Doing = tuple[str, int, int, float, float]
"""(what, whose cell, how many facts behind the log its writer is, cost_max, the share of it that the call comes to)"""

doings = st.lists(
    st.tuples(
        st.sampled_from(["start", "start", "hedge", "settle", "settle"]),
        st.integers(0, 2),
        st.integers(0, 5),
        st.floats(0.0, 0.5),
        st.floats(0.0, 1.3),
    ),
    max_size=60,
)


@given(doings)
def test_spent_and_reserved_never_pass_the_budget_by_more_than_calls_passed_their_own_maximum(
    what: list[Doing],
) -> None:
    log = Log(Policy(budget=BUDGET, cell_budget=CELL_BUDGET))
    opened: list[AttemptStarted | CallReserved] = []
    excess = 0.0
    for number, (kind, which, behind, cost_max, share) in enumerate(what, 1):
        cell, attempt = CELLS[which], attempt_number(1, 1, number)
        if kind == "settle":
            if opened:
                call = opened.pop(which % len(opened))
                excess += max(share - 1.0, 0.0) * call.cost_max
                log.append(_settled(call, share * call.cost_max))
        else:
            fact: AttemptStarted | CallReserved
            if kind == "start":
                fact = AttemptStarted(at_ms=0, cell=cell, attempt=attempt, writer="w", model="m", cost_max=cost_max)
            else:
                fact = CallReserved(at_ms=0, cell=cell, attempt=attempt, call=2, model="m", cost_max=cost_max)
            known = log.documents[max(len(log.documents) - 1 - behind, 0)]
            while short_of(known, fact) is None:
                if log.append(fact, known.sequence):
                    opened.append(fact)
                    break
                known = log.document
        document = log.document
        assert committed(document) <= BUDGET + excess + ROUNDING
        for each in CELLS:
            reserved = sum(call.cost_max for key, call in document.open_calls.items() if key.startswith(f"{each}/"))
            assert document.cells[each].cost + reserved <= CELL_BUDGET + excess + ROUNDING


def _settled(call: AttemptStarted | CallReserved, cost: float) -> CallSettled:
    return CallSettled(
        at_ms=0,
        cell=call.cell,
        attempt=call.attempt,
        call=call.call if isinstance(call, CallReserved) else 1,
        model="m",
        outcome="finished",
        tokens_in=1,
        tokens_out=1,
        cost=cost,
        exact=True,
        duration_ms=1,
    )


def test_without_a_budget_everything_is_afforded_and_with_one_of_nothing_what_is_free() -> None:
    unlimited, nothing = Log(Policy()).document, Log(Policy(budget=0.0, cell_budget=0.0)).document
    assert affords(unlimited, 1e9)
    assert cell_affords(unlimited, "a", 1e9)
    assert affords(nothing, 0.0)
    assert cell_affords(nothing, "a", 0.0)
    assert not affords(nothing, 0.01)
    assert not cell_affords(nothing, "a", 0.01)
    assert left(nothing) == 0.0
