"""What a writer reads in the log: may it begin, and has what it does to end?"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.attempts import attempt_number
from schemas.document import Document
from schemas.events import (
    AnyFact,
    AttemptFailed,
    AttemptStarted,
    CellQueued,
    CellStopped,
    DocumentCompleted,
    DocumentCreated,
    DocumentPaused,
)
from schemas.fold import created, fold
from schemas.values import Policy, Section
from services.shared.attempt.events import StopAsked
from services.shared.attempt.look import Ask, look, may_hedge, unwanted

NOW = 1_000_000
ATTEMPT = attempt_number(1, 1, 1)
ASK = Ask(document="d", cell="a", revision=1, job=1, deadline_ms=NOW + 60_000)
QUEUED = CellQueued(
    at_ms=NOW, cell="a", revision=1, job=1, input_digest="in", lane="interactive", deadline_ms=NOW + 60_000
)
STARTED = AttemptStarted(at_ms=NOW, cell="a", attempt=ATTEMPT, writer="w", model="m")
BETWEEN = AttemptFailed(at_ms=NOW, cell="a", attempt=ATTEMPT, kind="cut", message="m", retry_at_ms=NOW + 9_000)
STOPPED = CellStopped(at_ms=NOW + 9, cell="a", job=1, asked_at_ms=NOW + 3)
ASKED = StopAsked(at_ms=NOW + 20, reason="stopped", asked_at_ms=NOW + 3)


def log(*facts: AnyFact) -> Document:
    outline = (Section(id="a", heading="A"), Section(id="b", heading="B"))
    document = created("d", DocumentCreated(at_ms=NOW, title="T", brief="B", policy=Policy(), outline=outline), 1)
    for sequence, fact in enumerate((QUEUED, replace(QUEUED, cell="b"), *facts), 2):
        document = fold(document, fact, sequence)
    return document


@pytest.mark.parametrize("before", [(), (STARTED,), (STARTED, BETWEEN)], ids=["queued", "writing", "between"])
def test_a_cell_that_was_stopped_by_itself_is_not_begun_and_what_runs_for_it_ends(before: tuple[AnyFact, ...]) -> None:
    assert unwanted(log(*before), ASK, 1, NOW + 20) is None
    document = log(*before, STOPPED)
    assert unwanted(document, ASK, 1, NOW + 20) == ASKED
    assert look(document, ASK, attempt_number(1, 2, 1)) == "ack"
    assert not may_hedge(document, ASK, ATTEMPT)


def test_the_other_cells_go_on() -> None:
    other = replace(ASK, cell="b")
    document = log(replace(STARTED, cell="b"), STARTED, STOPPED)
    assert unwanted(document, other, 1, NOW + 20) is None
    assert may_hedge(document, other, ATTEMPT)
    assert look(document, other, attempt_number(1, 2, 1)) == "go"


@pytest.mark.parametrize(
    "after",
    [
        DocumentCompleted(at_ms=NOW + 9, cells_completed=1, cells_failed=0, cells_stopped=1),
        DocumentPaused(at_ms=NOW + 15, reason="stop_asked", asked_at_ms=NOW + 14),
    ],
    ids=["complete", "paused"],
)
def test_it_was_stopped_when_that_was_asked_for_whatever_became_of_the_document_meanwhile(after: AnyFact) -> None:
    assert unwanted(log(STARTED, STOPPED, after), ASK, 1, NOW + 20) == ASKED


def test_when_it_is_asked_for_again_the_earlier_job_is_over_and_the_new_one_is_not() -> None:
    document = log(STARTED, STOPPED, replace(QUEUED, job=2))
    earlier = unwanted(document, ASK, 1, NOW + 20)
    assert earlier is not None
    assert earlier.reason == "superseded"
    assert unwanted(document, replace(ASK, job=2), 1, NOW + 20) is None
