"""The fold is indifferent to order between facts and ink, to repeats, to loss that is refilled, and to stale attempts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.attempts import attempt_number
from schemas.cells import cells_of_section, text_of, wanted_cells
from schemas.document import (
    Cancelled,
    Cell,
    Completed,
    Document,
    Failed,
    Paused,
    Queued,
    Retrying,
    Running,
    Waiting,
    Writing,
)
from schemas.events import (
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallReserved,
    CallSettled,
    CellCompleted,
    CellFailed,
    CellQueued,
    CellsQueued,
    DocumentCompleted,
    DocumentCreated,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    TextAppended,
    ViewerReturned,
    decode_event,
    encode,
)
from schemas.fold import LogError, created, fold, fold_ink
from schemas.standing import standings
from schemas.values import Column, Estimate, Policy, Section
from tests.unit.logs import DOCUMENT, Event, Written, histories

A1 = attempt_number(1, 1, 1)
A2 = attempt_number(1, 1, 2)
A3 = attempt_number(1, 2, 1)


def folded(*events: Event) -> Document:
    """Events in the order of arrival; each fact's place in the list of facts is its sequence."""
    document: Document | None = None
    sequence = 0
    for event in events:
        if isinstance(event, TextAppended):
            assert document is not None
            document = fold_ink(document, event)
            continue
        sequence += 1
        document = created(DOCUMENT, event, sequence) if document is None else fold(document, event, sequence)
    assert document is not None
    return document


def new() -> DocumentCreated:
    return DocumentCreated(at_ms=0, title="T", brief="B", policy=Policy(), outline=(Section(id="a", heading="A"),))


def queued(job: int = 1, revision: int = 1) -> CellQueued:
    return CellQueued(
        at_ms=1, cell="a", revision=revision, job=job, input_digest="in", lane="interactive", deadline_ms=9
    )


def started(attempt: int, model: str = "m/a") -> AttemptStarted:
    return AttemptStarted(at_ms=2, cell="a", attempt=attempt, writer="w", model=model, cost_max=0.5)


def ink(attempt: int, offset: int, text: str) -> TextAppended:
    return TextAppended(cell="a", attempt=attempt, offset=offset, text=text)


def completed(attempt: int, text: str, revision: int = 1) -> CellCompleted:
    return CellCompleted(at_ms=5, cell="a", revision=revision, attempt=attempt, text=text, output_digest="out")


def cell(*events: Event) -> Cell:
    return folded(new(), *events).cells["a"]


# -- Properties ---------------------------------------------------------------------------------------------------------


def _arrival(data: st.DataObject, history: Written) -> list[tuple[int, Event]]:
    """A delivery of a history: facts in their order, ink anywhere, some of both more than once."""
    facts = [event for event in history.events if not isinstance(event, TextAppended)]
    inks = [event for event in history.events if isinstance(event, TextAppended)]
    again = data.draw(st.lists(st.sampled_from(inks), max_size=5)) if inks else []
    shuffled = data.draw(st.permutations(inks + again))
    stamped: list[tuple[int, Event]] = []
    for sequence, fact in enumerate(facts, 1):
        stamped.append((sequence, fact))
        if sequence > 1 and data.draw(st.booleans()):
            earlier = data.draw(st.integers(1, sequence))
            stamped.append((earlier, facts[earlier - 1]))
    for piece in shuffled:
        stamped.insert(data.draw(st.integers(1, len(stamped))), (0, piece))
    return stamped


def _fold_all(stamped: list[tuple[int, Event]]) -> Document:
    first = stamped[0][1]
    assert isinstance(first, DocumentCreated)
    document = created(DOCUMENT, first, stamped[0][0])
    for sequence, event in stamped[1:]:
        document = fold_ink(document, event) if isinstance(event, TextAppended) else fold(document, event, sequence)
    return document


def test_cells_queued_together_are_what_they_are_one_by_one() -> None:
    def asked(cell: str, job: int) -> CellQueued:
        return replace(queued(job), cell=cell)

    outline = tuple(Section(id=id_, heading=id_) for id_ in "abc")
    created = DocumentCreated(at_ms=0, title="T", brief="B", policy=Policy(), outline=outline)
    wanted = asked("a", 1), asked("b", 2), asked("c", 1)
    before = asked("b", 3)
    together = folded(created, before, CellsQueued(at_ms=1, cells=wanted))

    def cells(document: Document) -> dict[str, Cell]:
        return {id_: replace(cell, asked_at=0) for id_, cell in document.cells.items()}  # Where they stand, apart.

    assert cells(together) == cells(folded(created, before, *wanted))
    assert together.cells["b"].job == 3
    paused = DocumentPaused(at_ms=1, reason="stop_asked", asked_at_ms=1)
    assert folded(created, paused, CellsQueued(at_ms=1, cells=wanted)).cells == {}


@given(histories(), st.data())
def test_any_order_of_ink_among_facts_and_any_repeats_give_the_same_document(
    history: Written, data: st.DataObject
) -> None:
    assert _fold_all(_arrival(data, history)) == folded(*history.events)


@given(histories(), st.data())
def test_ink_that_was_lost_and_is_sent_again_from_the_start_gives_the_same_document(
    history: Written, data: st.DataObject
) -> None:
    arrived: list[Event] = []
    for event in history.events:
        if isinstance(event, TextAppended) and data.draw(st.booleans()):
            continue
        arrived.append(event)
    refilled = [
        TextAppended(cell=name, attempt=attempt, offset=0, text=text)
        for (name, attempt), text in history.texts.items()
        if text
    ]
    assert folded(*arrived, *refilled) == folded(*history.events, *refilled)


@given(histories())
def test_at_every_moment_a_cell_shows_a_prefix_of_exactly_one_attempt(history: Written) -> None:
    for upto in range(1, len(history.events) + 1):
        document = folded(*history.events[:upto])
        for id_, shown in document.cells.items():
            text = text_of(document.cells, id_)
            attempt = (
                shown.ink.attempt
                if shown.ink is not None and shown.ink.text
                else shown.completed.attempt
                if shown.completed is not None
                else None
            )
            assert text == "" or (attempt is not None and history.texts[id_, attempt].startswith(text))


@given(histories())
def test_a_completed_revision_never_changes(history: Written) -> None:
    seen: dict[tuple[str, int], str] = {}
    for upto in range(1, len(history.events) + 1):
        for id_, at in folded(*history.events[:upto]).cells.items():
            if at.completed is not None:
                assert seen.setdefault((id_, at.completed.revision), at.completed.text) == at.completed.text


@given(histories())
def test_events_survive_their_encoding(history: Written) -> None:
    for event in history.events:
        assert decode_event(encode(event)) == event


# -- Examples, one a rule -----------------------------------------------------------------------------------------------


def test_a_log_begins_with_its_creation() -> None:
    with pytest.raises(LogError):
        created(DOCUMENT, DocumentResumed(at_ms=1), 1)


def test_a_fact_at_or_before_the_sequence_changes_nothing() -> None:
    document = folded(new(), queued())
    assert fold(document, started(A1), document.sequence) is document


def test_a_late_attempt_changes_nothing() -> None:
    assert cell(queued(), started(A3), ink(A3, 0, "new"), ink(A1, 0, "old"), completed(A1, "old")) == cell(
        queued(), started(A3), ink(A3, 0, "new")
    )


def test_a_new_attempt_starts_its_text_anew() -> None:
    at = cell(
        queued(),
        started(A1),
        ink(A1, 0, "first"),
        AttemptFailed(at_ms=3, cell="a", attempt=A1, kind="cut", message="m", retry_at_ms=4),
        started(A2),
        ink(A2, 0, "sec"),
    )
    assert at.ink is not None
    assert at.ink.text == "sec"
    assert at.attempts == 2


def test_text_of_a_failed_attempt_stays_until_the_next_begins() -> None:
    failure = AttemptFailed(at_ms=3, cell="a", attempt=A1, kind="cut", message="m", model="m/a", retry_at_ms=4)
    at = cell(queued(), started(A1), ink(A1, 0, "first"), failure)
    assert isinstance(at.state, Retrying)
    assert at.ink is not None
    assert at.ink.text == "first"


def test_a_fallback_is_remembered_while_the_other_model_writes() -> None:
    failure = AttemptFailed(at_ms=3, cell="a", attempt=A1, kind="cut", message="m", model="m/a", retry_at_ms=4)
    instead = replace(started(A2, "m/b"), fell_back_from="m/a", tries_max=4)
    at = cell(queued(), started(A1, "m/a"), failure, instead)
    assert isinstance(at.state, Writing)
    assert (at.state.fell_back_from, at.state.tries_max) == ("m/a", 4)
    done = cell(queued(), instead, replace(completed(A2, "text"), fell_back_from="m/a"))
    assert done.completed is not None
    assert done.completed.fell_back_from == "m/a"


def test_how_many_tries_there_may_be_is_known_while_waiting_for_the_next() -> None:
    failure = AttemptFailed(at_ms=3, cell="a", attempt=A1, kind="cut", message="m", model="m/a", retry_at_ms=4)
    at = cell(queued(), replace(started(A1), tries_max=4), failure)
    assert isinstance(at.state, Retrying)
    assert at.state.tries_max == 4


def test_ink_of_a_job_that_is_over_is_ignored() -> None:
    at = cell(queued(), started(A1), ink(A1, 0, "te"), completed(A1, "text"), ink(A1, 2, "xt"), ink(A3, 0, "other"))
    assert at.ink is None
    assert at.completed is not None
    assert at.completed.text == "text"


def test_the_old_text_shows_until_the_rewrite_has_some() -> None:
    events = (queued(), started(A1), completed(A1, "old"), queued(job=2, revision=2))
    again = attempt_number(2, 1, 1)
    assert text_of(folded(new(), *events, started(again)).cells, "a") == "old"
    assert text_of(folded(new(), *events, started(again), ink(again, 0, "n")).cells, "a") == "n"


def test_a_stop_cuts_off_what_runs_and_unqueues_what_does_not() -> None:
    stop = DocumentPaused(at_ms=7, reason="stop_asked", asked_at_ms=6)
    assert isinstance(cell(queued(), stop).state, Waiting)
    running = cell(queued(), started(A1), ink(A1, 0, "te"), stop)
    assert isinstance(running.state, Cancelled)
    assert running.ink is not None
    assert running.ink.text == "te"
    assert isinstance(cell(queued(), stop, started(A1)).state, Waiting)


def test_a_text_that_was_cut_off_is_there_without_its_ink() -> None:
    stop = DocumentPaused(at_ms=7, reason="stop_asked", asked_at_ms=6)
    receipt = AttemptCancelled(
        at_ms=8, cell="a", attempt=A1, reason="stopped", asked_at_ms=6, closed_at_ms=8, text="as far as that"
    )
    for heard in ((), (ink(A1, 0, "as far"),), (ink(A1, 3, "far as that"),)):
        after = cell(queued(), started(A1), *heard, stop, receipt)
        assert after.ink is not None
        assert (after.ink.text, after.ink.ahead) == ("as far as that", ())


def test_a_text_that_was_finished_in_the_moment_of_a_stop_is_kept() -> None:
    stop = DocumentPaused(at_ms=7, reason="stop_asked", asked_at_ms=6)
    assert isinstance(cell(queued(), started(A1), stop, completed(A1, "text")).state, Completed)


def test_receipts_add_up() -> None:
    receipt = AttemptCancelled(
        at_ms=9,
        cell="a",
        attempt=A1,
        reason="stopped",
        asked_at_ms=6,
        closed_at_ms=8,
        calls_closed=1,
        tokens_saved=700,
    )
    document = folded(
        new(), queued(), started(A1), DocumentPaused(at_ms=7, reason="stop_asked", asked_at_ms=6), receipt
    )
    assert document.stop is not None
    assert (document.stop.calls_closed, document.stop.tokens_saved, document.stop.closed_at_ms) == (1, 700, 8)
    assert document.ledger.tokens_saved == 700
    state = document.cells["a"].state
    assert isinstance(state, Cancelled)
    assert state.closed_at_ms == 8


def test_a_resume_gives_the_running_time_that_was_left() -> None:
    document = folded(
        new(),
        DocumentPaused(at_ms=60_000, reason="stop_asked", asked_at_ms=60_000),
        DocumentResumed(at_ms=1_000_000),
    )
    assert document.run == Running(since_ms=1_000_000, deadline_ms=1_000_000 + 1_800_000 - 60_000)


def test_a_document_is_paused_once() -> None:
    document = folded(
        new(),
        DocumentPaused(at_ms=5, reason="stop_asked", asked_at_ms=5),
        DocumentPaused(at_ms=9, reason="last_viewer_left", asked_at_ms=9),
    )
    assert isinstance(document.run, Paused)
    assert document.run.reason == "stop_asked"


def test_nobody_watching_unqueues_what_was_not_begun() -> None:
    left = LastViewerLeft(at_ms=4, pauses_at_ms=14)
    assert isinstance(cell(queued(), left).state, Waiting)
    assert isinstance(cell(queued(), started(A1), left).state, Writing)


def test_what_is_queued_in_the_moment_of_a_stop_is_not_wanted() -> None:
    left = LastViewerLeft(at_ms=4, pauses_at_ms=14)
    stop = DocumentPaused(at_ms=7, reason="stop_asked", asked_at_ms=6)
    assert "a" not in folded(new(), left, queued()).cells
    assert "a" not in folded(new(), stop, queued()).cells
    assert isinstance(cell(left, queued(), ViewerReturned(at_ms=5), queued()).state, Queued)


def test_a_writer_that_leaves_gives_its_cell_back_to_the_queue() -> None:
    receipt = AttemptCancelled(at_ms=9, cell="a", attempt=A1, reason="writer_stopping", asked_at_ms=9, closed_at_ms=9)
    assert isinstance(cell(queued(), started(A1), receipt).state, Queued)
    assert isinstance(cell(queued(), started(A1), receipt, started(A3)).state, Writing)


def test_a_failure_keeps_the_text_and_says_why() -> None:
    failed = CellFailed(at_ms=9, cell="a", revision=1, job=1, kind="repetition", message="m")
    at = cell(queued(), started(A1), ink(A1, 0, "te"), failed)
    assert at.state == Failed(at_ms=9, kind="repetition", message="m")
    assert at.ink is not None
    assert at.ink.text == "te"


def test_calls_count_at_their_maximum_until_they_are_settled() -> None:
    hedge = CallReserved(at_ms=3, cell="a", attempt=A1, call=2, model="m/b", cost_max=0.25)
    document = folded(new(), queued(), started(A1), hedge)
    assert sum(call.cost_max for call in document.open_calls.values()) == 0.75
    settled = CallSettled(
        at_ms=4,
        cell="a",
        attempt=A1,
        call=2,
        model="m/b",
        outcome="lost_race",
        tokens_in=1,
        tokens_out=2,
        cost=0.125,
        exact=False,
        duration_ms=1,
    )
    once = fold(document, settled, 5)
    for after in (once, fold(once, settled, 6)):
        assert after.ledger.cost == after.ledger.cost_lost == after.ledger.cost_estimated == 0.125
        assert sum(call.cost_max for call in after.open_calls.values()) == 0.5
        assert after.ledger.calls == 2


def test_what_work_came_to_has_the_bill_that_comes_right_behind_its_end() -> None:
    begun = replace(new(), estimate=Estimate(cells=1, calls=1))
    bill = CallSettled(
        at_ms=9,
        cell="a",
        attempt=A1,
        call=1,
        model="m/a",
        outcome="finished",
        tokens_in=3,
        tokens_out=4,
        cost=0.5,
        exact=True,
        duration_ms=1,
    )
    over = DocumentCompleted(at_ms=9, cells_completed=1, cells_failed=0)
    before, behind = (folded(begun, queued(), started(A1), *facts).reckoning for facts in ((bill, over), (over, bill)))
    assert before is not None
    assert before == behind
    assert (before.actual.calls, before.actual.tokens_out, before.actual.cost) == (1, 4, 0.5)


def test_an_edit_upstream_names_a_new_revision_and_equal_output_does_not() -> None:
    def document(brief: str, text: str) -> Document:
        facts: list[AnyFact] = [
            DocumentCreated(
                at_ms=0,
                title="T",
                brief=brief,
                policy=Policy(),
                outline=(Section(id="a", heading="A"), Section(id="b", heading="B", depends_on=("a",))),
            )
        ]
        wanted = standings(folded(*facts))
        assert wanted["b"].digest is None
        asked = replace(queued(), input_digest=wanted["a"].digest or "")
        done = CellCompleted(at_ms=5, cell="a", revision=1, attempt=A1, text=text, output_digest=text)
        return folded(*facts, asked, started(A1), done)

    def digest(document: Document) -> str | None:
        return standings(document)["b"].digest

    assert digest(document("B", "x")) == digest(document("B", "x"))
    assert digest(document("B", "x")) != digest(document("B", "y"))
    assert digest(document("B", "x")) != digest(document("Z", "x"))


def test_a_table_has_a_cell_for_each_source_and_question() -> None:
    table = Section(id="t", heading="T", columns=(Column(id="q1", heading="Q1"), Column(id="q2", heading="Q2")))
    assert cells_of_section(table, ["s1", "s2"]) == ("t:s1:q1", "t:s1:q2", "t:s2:q1", "t:s2:q2")
    summary = Section(id="s", heading="S", depends_on=("t",))
    assert len(wanted_cells((table, summary), ("s1", "s2"))["s"].depends_on) == 4
