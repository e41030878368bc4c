from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from schemas import streams
from schemas.attempts import attempt_number
from schemas.cells import plan_digest, text_digest
from schemas.commands import ResumeDocument, StopCell, StopDocument
from schemas.document import (
    Cancelled,
    Completed,
    Document,
    Done,
    Failed,
    Paused,
    Queued,
    Retrying,
    Running,
    Waiting,
    Writing,
)
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallSettled,
    CellCompleted,
    CellDeferred,
    CellFailed,
    CellQueued,
    CellsFreshened,
    CellsQueued,
    CellsStaled,
    CellStopped,
    CellWithdrawn,
    DocumentCompleted,
    DocumentCreated,
    DocumentEdited,
    DocumentFailed,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    OutlineEdited,
    OutlinePlanned,
    RewriteAsked,
    SectionEdited,
    SourceAdded,
    SourceFailed,
    SourceIngested,
    StaleCells,
    UpdateAsked,
    ViewerReturned,
)
from schemas.fold import created, fold
from schemas.jobs import IngestSource, PlanOutline, WriteCell
from schemas.values import Column, Policy, Reason, Section, SourceGiven
from services.conductor.core import (
    CELLS_IN_FLIGHT_MAX,
    CELLS_QUEUED_MAX,
    FIRST_VIEWER_MS,
    LOST_AFTER_MS,
    NOTHING,
    REPUBLISH_MS_MAX,
    SETTLING_MS,
    Decision,
    Situation,
    bundled,
    decide,
    obey,
    suspects,
)

DOC = "d" * 32
NOW = 1_000_000
A, B, C = (
    Section(id="a", heading="A"),
    Section(id="b", heading="B"),
    Section(id="c", heading="C", depends_on=("a", "b")),
)
SOURCE = SourceGiven(id="s1", name="one", media_type="text/plain", size_bytes=1, digest="x")
WATCHED = Situation(now_ms=NOW, viewers=1, watched_at_ms=NOW)
LEFT = Situation(now_ms=NOW, watched_at_ms=NOW)


def given(*facts: AnyFact, outline: tuple[Section, ...] = (A, B, C), **made: Any) -> Document:
    """A document created at NOW, and what happened to it since."""
    first = DocumentCreated(
        at_ms=NOW, title="T", brief="B", policy=made.pop("policy", Policy()), outline=outline, **made
    )
    return then(created(DOC, first, 1), *facts)


def then(document: Document, *facts: AnyFact) -> Document:
    for fact in facts:
        document = fold(document, fact, document.sequence + 1)
    return document


def settled(document: Document, situation: Situation = WATCHED) -> Document:
    """After its conductor has appended all that was missing."""
    for _ in range(20):
        decision = decide(document, situation)
        if not decision.facts:
            return document
        document = then(document, *decision.facts)
    raise AssertionError(document)


def queued(decision: Decision) -> list[str]:
    return [fact.cell for fact in decision.facts if isinstance(fact, CellQueued)]


def test_what_is_queued_together_is_one_fact_and_the_others_stay_as_they_are() -> None:
    decision = decide(given(), WATCHED)
    several = tuple(fact for fact in decision.facts if isinstance(fact, CellQueued))
    left = LastViewerLeft(at_ms=NOW, pauses_at_ms=None)
    assert len(several) > 1
    assert list(bundled((*several, left))) == [CellsQueued(at_ms=several[0].at_ms, cells=several), left]
    assert list(bundled(several[:1])) == [several[0]]


def started(document: Document, cell: str, **more: Any) -> AttemptStarted:
    attempt = attempt_number(document.cells[cell].job, 1, 1)
    return AttemptStarted(at_ms=NOW, cell=cell, attempt=attempt, writer="w", model="m", **more)


def written(document: Document, cell: str, text: str = "text") -> CellCompleted:
    job, revision = document.cells[cell].job, document.cells[cell].revision
    attempt = attempt_number(job, 1, 1)
    return CellCompleted(
        at_ms=NOW, cell=cell, revision=revision, attempt=attempt, text=text, output_digest=text_digest(text)
    )


def failed(document: Document, cell: str) -> CellFailed:
    job, revision = document.cells[cell].job, document.cells[cell].revision
    return CellFailed(at_ms=NOW, cell=cell, revision=revision, job=job, kind="server_error", message="no")


def all_written(document: Document) -> Document:
    for cell in ("a", "b", "c"):
        document = settled(document)
        document = then(document, started(document, cell), written(document, cell))
    return document


# -- Work -----------------------------------------------------------------------------------------------------------------


def test_cells_that_depend_on_nothing_are_queued_at_once_and_the_others_wait() -> None:
    assert queued(decide(given(), WATCHED)) == ["a", "b"]


def test_a_job_is_published_only_when_the_log_says_that_its_cell_is_queued() -> None:
    assert decide(given(), WATCHED).jobs == ()
    decision = decide(settled(given()), WATCHED)
    deadline_ms = NOW + Policy().deadline_s * 1_000
    assert decision.facts == ()
    assert decision.jobs == tuple(
        WriteCell(document=DOC, lane="interactive", deadline_ms=deadline_ms, cell=cell, revision=1, job=1)
        for cell in ("a", "b")
    )


def test_a_cell_is_queued_when_the_last_one_that_it_depends_on_is_written() -> None:
    document = settled(given())
    document = then(document, written(document, "a"))
    assert queued(decide(document, WATCHED)) == []
    document = then(document, written(document, "b"))
    assert queued(decide(document, WATCHED)) == ["c"]


def test_a_failed_cell_does_not_keep_its_dependents_from_being_written() -> None:
    document = settled(given())
    document = then(document, failed(document, "a"), written(document, "b"))
    assert queued(decide(document, WATCHED)) == ["c"]


def test_sources_are_read_before_anything_is_written_from_them() -> None:
    document = given(sources=(SOURCE,))
    decision = decide(document, WATCHED)
    assert decision.facts == ()
    assert [job.source for job in decision.jobs if isinstance(job, IngestSource)] == ["s1"]
    read = SourceIngested(at_ms=NOW, source="s1", digest="t", passages=1, characters=1)
    assert queued(decide(then(document, read), WATCHED)) == ["a", "b"]


def test_a_source_that_cannot_be_read_does_not_hold_up_the_document() -> None:
    document = given(SourceFailed(at_ms=NOW, source="s1", message="no text"), sources=(SOURCE,))
    assert queued(decide(document, WATCHED)) == ["a", "b"]


def test_without_an_outline_one_is_asked_for() -> None:
    document = given(outline=())
    (fact,) = decide(document, WATCHED).facts
    assert isinstance(fact, CellQueued)
    assert (fact.cell, fact.input_digest) == (PLAN_CELL, plan_digest(document))
    (job,) = decide(then(document, fact), WATCHED).jobs
    assert isinstance(job, PlanOutline)


def test_a_planned_outline_is_written() -> None:
    document = settled(given(outline=()))
    planned = OutlinePlanned(at_ms=NOW, attempt=attempt_number(1, 1, 1), sections=(A, B))
    document = then(document, started(document, PLAN_CELL), planned)
    assert queued(decide(document, WATCHED)) == ["a", "b"]


def test_a_document_whose_outline_cannot_be_planned_has_failed_and_says_why() -> None:
    document = settled(given(outline=()))
    document = then(document, failed(document, PLAN_CELL))
    assert decide(document, WATCHED).facts == (DocumentFailed(at_ms=NOW, kind="server_error", message="no"),)


def test_a_document_is_completed_when_every_cell_is_written_or_has_failed() -> None:
    document = all_written(given())
    assert decide(document, WATCHED).facts == (DocumentCompleted(at_ms=NOW, cells_completed=3, cells_failed=0),)
    document = settled(given())
    document = settled(then(document, failed(document, "a"), written(document, "b")))
    document = then(document, written(document, "c"))
    assert decide(document, WATCHED).facts == (DocumentCompleted(at_ms=NOW, cells_completed=2, cells_failed=1),)


def test_a_document_that_is_over_wants_nothing() -> None:
    document = settled(all_written(given()))
    assert decide(document, WATCHED) == NOTHING
    assert decide(document, replace(LEFT, now_ms=NOW * 2)) == NOTHING


def test_a_huge_document_has_only_so_many_cells_in_flight() -> None:
    columns = tuple(Column(id=f"q{n}", heading="?") for n in range(10))
    sources = tuple(replace(SOURCE, id=f"s{n}") for n in range(20))
    document = given(
        *(SourceIngested(at_ms=NOW, source=f"s{n}", digest=str(n), passages=1, characters=1) for n in range(20)),
        outline=(Section(id="t", heading="T", columns=columns),),
        sources=sources,
    )
    running = 0
    for _ in range(2 * CELLS_IN_FLIGHT_MAX):
        document = settled(document)
        waiting = [id_ for id_, cell in document.cells.items() if isinstance(cell.state, Queued)]
        running = sum(isinstance(cell.state, Writing) for cell in document.cells.values())
        assert len(waiting) == min(CELLS_QUEUED_MAX, CELLS_IN_FLIGHT_MAX - running)
        if waiting:
            document = then(document, started(document, waiting[0]))
    assert running == CELLS_IN_FLIGHT_MAX
    document = then(document, written(document, "t:s0:q0"))
    assert queued(decide(document, WATCHED)) == ["t:s4:q8"]


def test_a_cell_whose_inputs_changed_is_queued_as_a_new_revision() -> None:
    document = all_written(given())
    (again,) = [cell for cell in decide(_rewritten(document, "a"), WATCHED).facts if isinstance(cell, CellQueued)]
    assert (again.cell, again.revision, again.job) == ("c", 2, 2)


def test_equal_output_stops_the_wave() -> None:
    document = all_written(given())
    assert queued(decide(_rewritten(document, "a", "text"), WATCHED)) == []


def test_what_depends_on_one_column_is_written_anew_only_when_that_column_changes() -> None:
    columns = tuple(Column(id=id_, heading=id_.upper(), format="number") for id_ in ("p", "q"))
    table = Section(id="t", heading="T", columns=columns)
    sums = Section(id="sum", heading="Sum", depends_on=("t:p",))
    read = SourceIngested(at_ms=NOW, source="s1", digest="d", passages=1, characters=1)
    document = given(read, outline=(table, sums), sources=(SOURCE,))
    for cell in ("t:s1:p", "t:s1:q", "sum"):
        document = settled(document)
        document = then(document, started(document, cell), written(document, cell, "7"))
    assert queued(decide(_rewritten(document, "t:s1:q"), WATCHED)) == []
    assert queued(decide(_rewritten(document, "t:s1:p"), WATCHED)) == ["sum"]


def test_a_running_cell_whose_inputs_changed_is_outranked_by_a_new_job() -> None:
    document = settled(given())
    document = settled(then(document, written(document, "a"), written(document, "b")))
    document = then(document, started(document, "c"))
    (again,) = [cell for cell in decide(_rewritten(document, "a"), WATCHED).facts if isinstance(cell, CellQueued)]
    assert (again.cell, again.revision, again.job) == ("c", 2, 2)


def _rewritten(document: Document, cell: str, text: str = "another text") -> Document:
    before = document.cells[cell]
    assert before.completed is not None
    after = replace(before, completed=replace(before.completed, text=text, output_digest=text_digest(text)))
    return replace(document, cells={**document.cells, cell: after})


# -- What got lost --------------------------------------------------------------------------------------------------------


def test_a_job_is_published_again_only_while_the_queue_would_drop_it_as_a_repeat() -> None:
    document = settled(given())
    assert REPUBLISH_MS_MAX < streams.DUPLICATE_WINDOW_S * 1_000
    assert len(decide(document, replace(WATCHED, now_ms=NOW + REPUBLISH_MS_MAX - 1)).jobs) == 2
    assert decide(document, replace(WATCHED, now_ms=NOW + REPUBLISH_MS_MAX)).jobs == ()


def test_a_job_that_a_writer_has_had_is_not_published_again_when_it_went_back_to_the_queue() -> None:
    document = settled(given(outline=(A,)))
    back = AttemptCancelled(
        at_ms=NOW,
        cell="a",
        attempt=attempt_number(1, 1, 1),
        reason="writer_stopping",
        asked_at_ms=NOW,
        closed_at_ms=NOW,
    )
    document = then(document, started(document, "a"), back)
    assert isinstance(document.cells["a"].state, Queued)
    assert decide(document, WATCHED).jobs == ()


def test_a_cell_whose_job_the_queue_has_lost_gets_a_new_one() -> None:
    document = settled(given(outline=(A, B)))
    document = then(document, started(document, "b"))
    late = NOW + LOST_AFTER_MS
    assert suspects(document, late - 1) == ()
    assert suspects(document, late) == ("a", "b")
    decision = decide(document, replace(WATCHED, now_ms=late, lost=frozenset({"b"})))
    (again,) = decision.facts
    assert isinstance(again, CellQueued)
    assert (again.cell, again.revision, again.job) == ("b", 1, 2)


# -- Viewers --------------------------------------------------------------------------------------------------------------


def test_a_new_document_has_half_a_minute_to_get_its_first_viewer() -> None:
    document = settled(given())
    unseen = Situation(now_ms=NOW + FIRST_VIEWER_MS - 1)
    decision = decide(document, unseen)
    assert decision.facts == ()
    assert decision.wake_at_ms == NOW + FIRST_VIEWER_MS
    assert isinstance(decide(document, replace(unseen, now_ms=NOW + FIRST_VIEWER_MS)).facts[0], LastViewerLeft)


def test_when_the_last_viewer_leaves_no_new_cell_is_begun_and_after_the_grace_the_document_pauses() -> None:
    document = settled(given())
    (left,) = decide(document, LEFT).facts
    assert left == LastViewerLeft(at_ms=NOW, pauses_at_ms=NOW + 10_000)
    document = then(document, left)
    decision = decide(document, LEFT)
    assert (decision.facts, decision.jobs, decision.wake_at_ms) == ((), (), NOW + 10_000)
    over = replace(LEFT, now_ms=NOW + 10_000)
    assert decide(document, over).facts == (
        DocumentPaused(at_ms=NOW + 10_000, reason="last_viewer_left", asked_at_ms=NOW + 10_000),
    )


def test_a_grace_of_nothing_pauses_at_once() -> None:
    document = given(policy=Policy(grace_ms=0))
    (paused,) = decide(document, LEFT).facts
    assert isinstance(paused, DocumentPaused)


def test_a_viewer_who_comes_back_within_the_grace_finds_the_document_running() -> None:
    document = settled(given(), LEFT)
    assert decide(document, WATCHED).facts == (ViewerReturned(at_ms=NOW),)
    assert queued(decide(then(document, ViewerReturned(at_ms=NOW)), WATCHED)) == ["a", "b"]


def test_no_lease_means_nothing_while_leases_are_not_known() -> None:
    document = settled(given())
    assert decide(document, replace(LEFT, leases_known=False)).facts == ()
    leaving = settled(document, LEFT)
    assert decide(leaving, replace(LEFT, leases_known=False, now_ms=NOW + 20_000)).facts == ()


def test_never_means_never() -> None:
    document = settled(given(policy=Policy(grace_ms="never")))
    assert decide(document, replace(LEFT, now_ms=NOW + 100_000)).facts == ()


def test_what_runs_may_finish_where_the_policy_says_so_and_nothing_else_is_begun() -> None:
    document = settled(given(policy=Policy(on_last_viewer_left="finish_running")))
    document = then(document, started(document, "a"))
    document = settled(document, LEFT)
    assert document.leaving is not None
    assert document.leaving.pauses_at_ms is None
    assert isinstance(document.run, Running)
    document = then(document, written(document, "a"))
    assert isinstance(decide(document, LEFT).facts[0], DocumentPaused)


def test_a_document_that_goes_on_without_viewers_moves_to_the_batch_lane() -> None:
    document = given(policy=Policy(on_last_viewer_left="continue"))
    assert {fact.lane for fact in decide(document, LEFT).facts if isinstance(fact, CellQueued)} == {"batch"}
    assert {fact.lane for fact in decide(document, WATCHED).facts if isinstance(fact, CellQueued)} == {"interactive"}


def test_what_was_finished_when_the_last_viewer_left_is_completed_and_not_paused() -> None:
    document = settled(given(outline=(A,)))
    document = settled(then(document, started(document, "a")), LEFT)
    document = then(document, written(document, "a"))
    assert isinstance(decide(document, replace(LEFT, now_ms=NOW + 10_000)).facts[0], DocumentCompleted)


def test_a_document_paused_for_want_of_viewers_goes_on_when_one_comes() -> None:
    document = then(given(), DocumentPaused(at_ms=NOW, reason="last_viewer_left", asked_at_ms=NOW))
    later = Situation(now_ms=NOW + 1, viewers=1, watched_at_ms=NOW + 1)
    assert decide(document, later).facts == (DocumentResumed(at_ms=NOW + 1, because="viewer_returned"),)


def test_a_lease_from_before_the_pause_does_not_undo_it() -> None:
    document = then(given(), DocumentPaused(at_ms=NOW, reason="last_viewer_left", asked_at_ms=NOW))
    assert decide(document, WATCHED) == NOTHING


def test_a_document_that_was_stopped_or_has_spent_its_budget_stays_so_whoever_watches() -> None:
    later = Situation(now_ms=NOW + 1, viewers=1, watched_at_ms=NOW + 1)
    assert decide(given(DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW)), later) == NOTHING
    assert decide(given(DocumentPaused(at_ms=NOW, reason="budget_spent", asked_at_ms=NOW)), later) == NOTHING


# -- Wishes ---------------------------------------------------------------------------------------------------------------


def test_a_stop_pauses_what_runs_and_nothing_else() -> None:
    stop = StopDocument(document=DOC, asked_at_ms=NOW)
    (paused,) = obey(given(), stop, NOW + 5)
    assert paused == DocumentPaused(at_ms=NOW + 5, reason="stop_asked", asked_at_ms=NOW)
    assert obey(given(paused), stop, NOW + 5) == ()
    assert obey(settled(all_written(given())), stop, NOW + 5) == ()


def test_a_resume_goes_on_where_something_is_left_to_do() -> None:
    resume = ResumeDocument(document=DOC, asked_at_ms=NOW)
    assert obey(given(), resume, NOW) == ()
    paused = DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW)
    assert obey(given(paused), resume, NOW) == (DocumentResumed(at_ms=NOW),)
    assert obey(settled(all_written(given())), resume, NOW) == ()


def test_after_a_resume_what_is_written_stays_and_what_was_cut_off_is_written_anew() -> None:
    document = settled(given())
    document = then(document, started(document, "a"), written(document, "a"), started(document, "b"))
    document = then(document, DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW))
    document = then(document, DocumentResumed(at_ms=NOW))
    (again,) = decide(document, WATCHED).facts
    assert isinstance(again, CellQueued)
    assert (again.cell, again.revision, again.job) == ("b", 1, 2)


def test_a_resume_tries_again_what_had_failed_for_good() -> None:
    document = settled(given(outline=(A, B)))
    document = settled(then(document, failed(document, "a"), written(document, "b")))
    document = then(document, *obey(document, ResumeDocument(document=DOC, asked_at_ms=NOW), NOW))
    assert queued(decide(document, WATCHED)) == ["a"]


# -- One cell that is stopped by itself -----------------------------------------------------------------------------------


def stopped(document: Document, cell: str, asked_at_ms: int = NOW) -> tuple[AnyFact, ...]:
    return obey(document, StopCell(document=DOC, cell=cell, asked_at_ms=asked_at_ms), NOW + 5)


def closed(document: Document, cell: str, text: str = "") -> AttemptCancelled:
    attempt = document.cells[cell].attempt
    return AttemptCancelled(
        at_ms=NOW + 9,
        cell=cell,
        attempt=attempt,
        reason="stopped",
        asked_at_ms=NOW,
        closed_at_ms=NOW + 8,
        calls_closed=1,
        tokens_saved=7,
        text=text,
    )


def without_a() -> Document:
    """Complete, but for the section `a`, which was stopped when it had written a few words."""
    document = settled(given())
    document = then(document, started(document, "a"))
    document = then(document, *stopped(document, "a"))
    document = then(document, closed(document, "a", "A few"), started(document, "b"), written(document, "b"))
    document = settled(document)
    return settled(then(document, started(document, "c"), written(document, "c")))


def test_a_cell_is_stopped_while_it_is_queued_written_or_between_two_tries_and_no_other_time() -> None:
    document = settled(given(outline=(A, B)))
    (fact,) = stopped(document, "a", asked_at_ms=NOW + 60)
    assert fact == CellStopped(at_ms=NOW + 5, cell="a", job=1, asked_at_ms=NOW + 5), "a clock that goes fast stops too"
    writing = then(document, started(document, "a"))
    assert stopped(writing, "a") == (CellStopped(at_ms=NOW + 5, cell="a", job=1, asked_at_ms=NOW),)
    assert stopped(then(writing, *stopped(writing, "a")), "a") == ()
    between = then(
        writing,
        AttemptFailed(
            at_ms=NOW, cell="a", attempt=writing.cells["a"].attempt, kind="cut", message="m", retry_at_ms=NOW
        ),
    )
    assert isinstance(between.cells["a"].state, Retrying)
    assert stopped(between, "a")
    assert stopped(then(writing, written(writing, "a")), "a") == ()
    assert stopped(document, "nowhere") == ()
    paused = DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW)
    assert stopped(then(writing, paused), "a") == ()


def test_the_outline_is_not_stopped_by_itself() -> None:
    planning = settled(given(outline=()))
    assert isinstance(planning.cells[PLAN_CELL].state, Queued)
    assert stopped(planning, PLAN_CELL) == ()


def test_a_cell_that_was_stopped_in_the_queue_is_over_at_once() -> None:
    document = settled(given(outline=(A, B)))
    document = then(document, *stopped(document, "a"))
    assert document.cells["a"].state == Cancelled(
        attempt=0, at_ms=NOW + 5, reason="stopped", closed_at_ms=NOW + 5, asked_at_ms=NOW
    )
    assert decide(document, replace(WATCHED, now_ms=NOW + 10)).facts == ()


def test_what_is_written_from_a_cell_that_was_stopped_is_written_without_it_and_the_document_ends() -> None:
    document = without_a()
    assert document.run == Done(at_ms=NOW)
    assert [document.cells[id_].job for id_ in ("a", "b", "c")] == [1, 1, 1]
    assert isinstance(document.cells["c"].state, Completed)
    assert document.ledger.tokens_saved == 7
    assert document.cells["a"].ink is not None
    assert document.cells["a"].ink.text == "A few"
    log = then(settled(given(outline=(A,))))
    log = then(log, *stopped(log, "a"))
    assert decide(log, WATCHED).facts == (
        DocumentCompleted(at_ms=NOW, cells_completed=0, cells_failed=0, cells_stopped=1),
    )


def test_an_edit_of_something_else_does_not_begin_a_cell_that_was_stopped() -> None:
    document = settled(edited(without_a(), replace(B, instructions="Otherwise.")))
    assert isinstance(document.cells["b"].state, Queued)
    assert isinstance(document.cells["a"].state, Cancelled)


def test_what_a_stopped_cell_is_written_from_changes_and_it_is_written_anew() -> None:
    document = edited(without_a(), replace(A, instructions="Otherwise."))
    document = then(document, DocumentResumed(at_ms=NOW, because="edited"))
    (again,) = decide(document, WATCHED).facts
    assert isinstance(again, CellQueued)
    assert (again.cell, again.revision, again.job) == ("a", 2, 2)


def test_a_stopped_cell_is_written_when_it_is_asked_for() -> None:
    rewritten = settled(then(without_a(), RewriteAsked(at_ms=NOW, cell="a", salt="5a17")))
    assert isinstance(rewritten.cells["a"].state, Queued)
    updated = settled(then(without_a(), UpdateAsked(at_ms=NOW, cells=("a",))))
    assert isinstance(updated.cells["a"].state, Queued)
    assert updated.cells["a"].revision == 1, "the same revision: nothing has changed"
    document = without_a()
    resumed = settled(then(document, *obey(document, ResumeDocument(document=DOC, asked_at_ms=NOW), NOW)))
    assert [id_ for id_, cell in resumed.cells.items() if isinstance(cell.state, Queued)] == ["a"]


def test_a_stop_and_a_resume_of_the_document_leave_a_stopped_cell_as_it_is_and_write_what_they_cut_off() -> None:
    document = settled(given(outline=(A, B)))
    document = then(document, started(document, "a"), started(document, "b"))
    document = then(document, *stopped(document, "a"))
    document = then(document, DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW))
    document = then(document, closed(document, "a"), closed(document, "b"))
    assert document.stop is not None
    assert (document.stop.attempts, document.stop.tokens_saved) == (1, 7), "the document's receipt is of its own stop"
    assert document.ledger.tokens_saved == 14
    document = settled(then(document, DocumentResumed(at_ms=NOW)))
    assert isinstance(document.cells["a"].state, Cancelled)
    assert isinstance(document.cells["b"].state, Queued)


def test_a_stopped_rewrite_leaves_the_text_which_is_stale_and_handed_on() -> None:
    document = then(settled(all_written(given())), RewriteAsked(at_ms=NOW, cell="a", salt="5a17"))
    document = settled(document)
    document = then(document, started(document, "a"))
    (fact,) = stopped(document, "a")
    document = then(document, fact)
    assert not document.cells["a"].asked
    document = settled(document)
    assert document.run == Done(at_ms=NOW)
    a, c = document.cells["a"], document.cells["c"]
    assert a.completed is not None
    assert a.completed.text == "text"
    assert a.stale == (Reason(kind="rewrite", what="a"),)
    assert (c.job, c.stale) == (1, ()), "what it is written from is what it was"


def test_a_stopped_cell_whose_text_is_right_again_is_not_missing() -> None:
    document = settled(edited(settled(all_written(given())), replace(A, instructions="Otherwise.")))
    document = then(document, *stopped(document, "a"))
    document = settled(edited(settled(document), A))
    assert isinstance(document.cells["a"].state, Completed)
    assert document.cells["a"].job == 2, "nothing is paid for it"
    assert document.run == Done(at_ms=NOW)


def test_at_the_deadline_a_stopped_cell_has_not_failed() -> None:
    document = settled(given(policy=Policy(deadline_s=10), outline=(A, B)))
    document = then(document, *stopped(document, "a"))
    facts = decide(document, replace(WATCHED, now_ms=NOW + 10_000)).facts
    assert [fact.cell for fact in facts if isinstance(fact, CellFailed)] == ["b"]
    assert facts[-1] == DocumentCompleted(at_ms=NOW + 10_000, cells_completed=0, cells_failed=1, cells_stopped=1)


# -- Limits ---------------------------------------------------------------------------------------------------------------


def test_at_the_deadline_what_is_not_written_is_given_up_and_the_document_is_completed() -> None:
    document = settled(given(policy=Policy(deadline_s=10)))
    document = then(document, written(document, "a"), started(document, "b"))
    assert decide(document, WATCHED).wake_at_ms == NOW + 10_000
    facts = decide(document, replace(WATCHED, now_ms=NOW + 10_000)).facts
    assert [(fact.cell, fact.kind) for fact in facts if isinstance(fact, CellFailed)] == [
        ("b", "deadline"),
        ("c", "deadline"),
    ]
    assert facts[-1] == DocumentCompleted(at_ms=NOW + 10_000, cells_completed=1, cells_failed=2)
    assert decide(then(document, *facts), WATCHED) == NOTHING


def test_a_document_without_an_outline_at_the_deadline_has_failed() -> None:
    document = settled(given(outline=(), policy=Policy(deadline_s=10)))
    (fact,) = decide(document, replace(WATCHED, now_ms=NOW + 10_000)).facts
    assert isinstance(fact, DocumentFailed)
    assert fact.kind == "deadline"


def spending(cost: float) -> tuple[AnyFact, AnyFact]:
    attempt = attempt_number(1, 1, 1)
    return (
        AttemptStarted(at_ms=NOW, cell="a", attempt=attempt, writer="w", model="m", cost_max=cost),
        CallSettled(
            at_ms=NOW,
            cell="a",
            attempt=attempt,
            call=1,
            model="m",
            outcome="finished",
            tokens_in=1,
            tokens_out=1,
            cost=cost,
            exact=True,
            duration_ms=1,
        ),
    )


def test_a_document_that_has_spent_its_budget_pauses() -> None:
    document = then(settled(given(policy=Policy(budget=0.5))), *spending(0.5))
    assert decide(document, WATCHED).facts == (DocumentPaused(at_ms=NOW, reason="budget_spent", asked_at_ms=NOW),)


def test_what_runs_may_end_on_what_it_has_reserved_but_nothing_else_is_begun() -> None:
    document = settled(given(policy=Policy(budget=0.5), outline=(A, B, replace(C, depends_on=("a",)))))
    document = then(document, written(document, "a"), started(document, "b", cost_max=0.5))
    assert decide(document, WATCHED).facts == ()


def test_a_call_that_nobody_settled_counts_at_its_maximum() -> None:
    document = settled(given(policy=Policy(budget=0.5), outline=(A, replace(B, depends_on=("a",)))))
    document = then(document, started(document, "a", cost_max=0.5), written(document, "a"))
    assert decide(document, WATCHED) == Decision(wake_at_ms=NOW + SETTLING_MS)
    later = replace(WATCHED, now_ms=NOW + SETTLING_MS)
    assert isinstance(decide(document, later).facts[0], DocumentPaused)


def test_a_bill_that_is_on_its_way_is_waited_for_before_the_budget_counts_as_spent() -> None:
    document = settled(given(policy=Policy(budget=1.0), outline=(A, B)))
    first = started(document, "a", cost_max=0.6)
    document = then(document, first, deferred(document, "b", 0.6), written(document, "a"))
    assert decide(document, WATCHED).facts == ()
    assert queued(decide(then(document, bill(first, 0.1)), WATCHED)) == ["b"]


def test_a_budget_of_nothing_allows_what_costs_nothing() -> None:
    document = settled(given(policy=Policy(budget=0.0)))
    assert decide(then(document, *spending(0.0)), WATCHED).facts == ()
    assert isinstance(decide(then(document, *spending(0.1)), WATCHED).facts[0], DocumentPaused)


def deferred(document: Document, cell: str, cost_needed: float) -> CellDeferred:
    attempt = attempt_number(document.cells[cell].job, 1, 1)
    return CellDeferred(at_ms=NOW, cell=cell, attempt=attempt, cost_needed=cost_needed)


def bill(started_: AttemptStarted, cost: float) -> CallSettled:
    return CallSettled(
        at_ms=NOW,
        cell=started_.cell,
        attempt=started_.attempt,
        call=1,
        model="m",
        outcome="finished",
        tokens_in=1,
        tokens_out=1,
        cost=cost,
        exact=True,
        duration_ms=1,
    )


def test_a_cell_that_was_too_dear_waits_until_what_others_had_reserved_is_free_again() -> None:
    document = settled(given(policy=Policy(budget=1.0), outline=(A, B)))
    first = started(document, "a", cost_max=0.6)
    document = then(document, first, deferred(document, "b", 0.6))
    decision = decide(document, WATCHED)
    assert (decision.facts, decision.jobs) == ((), ())
    cheap = then(document, bill(first, 0.3), written(document, "a"))
    assert queued(decide(cheap, WATCHED)) == ["b"]
    dear = then(document, bill(first, 0.5), written(document, "a"))
    assert decide(dear, WATCHED).facts == (DocumentPaused(at_ms=NOW, reason="budget_spent", asked_at_ms=NOW),)


def test_no_more_cells_are_queued_than_there_is_money_for() -> None:
    outline = tuple(Section(id=f"p{n}", heading="P") for n in range(6))
    document = settled(given(policy=Policy(budget=1.0), outline=outline))
    document = then(document, *(deferred(document, f"p{n}", 0.4) for n in range(6)))
    assert queued(decide(document, WATCHED)) == ["p0", "p1"]
    assert decide(settled(document), WATCHED).facts == ()


def test_a_plan_that_is_too_dear_pauses_the_document() -> None:
    document = settled(given(policy=Policy(budget=0.1), outline=()))
    document = then(document, deferred(document, PLAN_CELL, 0.2))
    assert decide(document, WATCHED).facts == (DocumentPaused(at_ms=NOW, reason="budget_spent", asked_at_ms=NOW),)


def test_after_the_budget_is_raised_a_resume_goes_on() -> None:
    document = settled(given(policy=Policy(budget=0.5), outline=(A, B)))
    document = then(document, deferred(document, "a", 0.6), deferred(document, "b", 0.6))
    document = settled(document)
    assert isinstance(document.run, Paused)
    same = then(document, DocumentResumed(at_ms=NOW))
    assert isinstance(decide(same, WATCHED).facts[0], DocumentPaused)
    raised = replace(document, policy=Policy(budget=0.7))
    assert queued(decide(then(raised, DocumentResumed(at_ms=NOW)), WATCHED)) == ["a"]


def test_deciding_twice_decides_the_same() -> None:
    document = given()
    first, second = decide(document, WATCHED), decide(document, WATCHED)
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


# -- Edits ----------------------------------------------------------------------------------------------------------------


def edited(document: Document, section: Section) -> Document:
    return then(document, SectionEdited(at_ms=NOW, section=section))


def test_what_is_written_from_a_section_that_is_edited_is_withdrawn_and_waits_for_it() -> None:
    document = settled(then(all_written_but_c(), DocumentEdited(at_ms=NOW, title="Other")))
    document = then(document, started(document, "c"))
    document = edited(document, replace(A, instructions="Otherwise."))
    decision = decide(document, WATCHED)
    assert queued(decision) == ["a"]
    assert [fact.cell for fact in decision.facts if isinstance(fact, CellWithdrawn)] == ["c"]
    after = settled(document)
    assert isinstance(after.cells["c"].state, Waiting)


def all_written_but_c() -> Document:
    document = settled(given())
    for cell in ("a", "b"):
        document = then(document, started(document, cell), written(document, cell))
    return document


def test_a_cell_whose_section_is_gone_is_withdrawn_and_takes_no_number_twice() -> None:
    document = settled(given(outline=(A, B)))
    document = then(document, started(document, "a"), OutlineEdited(at_ms=NOW, sections=(B,)))
    assert CellWithdrawn(at_ms=NOW, cell="a", job=1) in decide(document, WATCHED).facts
    back = settled(then(settled(document), OutlineEdited(at_ms=NOW, sections=(B, A))))
    assert back.cells["a"].job == 2


def test_an_edit_of_what_is_done_begins_it_anew_but_not_what_had_failed() -> None:
    document = settled(given(outline=(A, B)))
    document = then(document, started(document, "a"), written(document, "a"), failed(document, "b"))
    document = settled(document)
    assert not isinstance(document.run, Running)
    document = edited(document, replace(A, instructions="Otherwise."))
    assert decide(document, WATCHED).facts == (DocumentResumed(at_ms=NOW, because="edited"),)
    document = settled(document)
    assert isinstance(document.cells["a"].state, Queued)
    assert document.cells["b"].state == Failed(at_ms=NOW, kind="server_error", message="no")


def test_a_title_is_no_reason_to_write_anything() -> None:
    document = settled(all_written(given()))
    assert decide(then(document, DocumentEdited(at_ms=NOW, title="Other")), WATCHED).facts == ()


def test_a_paused_document_marks_what_is_stale_and_reads_what_is_new() -> None:
    document = settled(all_written(given()))
    document = then(
        document, DocumentResumed(at_ms=NOW), DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW)
    )
    document = edited(document, replace(A, instructions="Otherwise."))
    (fact,) = decide(document, WATCHED).facts
    assert fact == CellsStaled(
        at_ms=NOW, groups=(StaleCells(reasons=(Reason(kind="instructions", what="a"),), cells=("a",)),)
    )
    undone = edited(then(document, fact), A)
    assert decide(undone, WATCHED).facts == (CellsFreshened(at_ms=NOW, cells=("a",)),)
    added = then(undone, SourceAdded(at_ms=NOW, source=SOURCE))
    assert [job.source for job in decide(added, WATCHED).jobs if isinstance(job, IngestSource)] == ["s1"]


def test_a_plan_waits_until_it_has_been_looked_over_and_waits_once() -> None:
    first = Policy(plan_first=True)
    assert [type(fact) for fact in decide(given(policy=first, outline=()), WATCHED).facts] == [CellQueued]  # The plan.
    document = given(policy=first)
    planned = (DocumentPaused(at_ms=NOW, reason="plan_ready", asked_at_ms=NOW),)
    assert decide(document, WATCHED).facts == planned
    paused = then(document, *planned)
    assert decide(paused, WATCHED) == NOTHING
    assert paused.stop is None, "nothing was stopped: there is no receipt to wait for"
    resumed = then(paused, DocumentResumed(at_ms=NOW))
    assert queued(decide(resumed, WATCHED)) == ["a", "b"]
    stopped = then(resumed, DocumentPaused(at_ms=NOW, reason="stop_asked", asked_at_ms=NOW), DocumentResumed(at_ms=NOW))
    assert queued(decide(stopped, WATCHED)) == ["a", "b"]
