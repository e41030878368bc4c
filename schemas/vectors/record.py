"""Records `fold.json`: histories, in a shuffled order of arrival, and the document that each folds to.

`python -m schemas.vectors.record` writes it, `--check` fails when the file is not what the fold makes now. Seeded: the same
code always records the same file.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import (
    PLAN_CELL,
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallReserved,
    CallSettled,
    CellCompleted,
    CellDeferred,
    CellEdited,
    CellFailed,
    CellLocked,
    CellQueued,
    CellRestored,
    CellsFreshened,
    CellsQueued,
    CellsStaled,
    CellStopped,
    CellUnlocked,
    CellWithdrawn,
    DocumentCompleted,
    DocumentCreated,
    DocumentEdited,
    DocumentFailed,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    OfferAccepted,
    OfferDeclined,
    OutlineEdited,
    OutlinePlanned,
    PolicyChanged,
    RewriteAsked,
    SectionEdited,
    SourceAdded,
    SourceFailed,
    SourceIngested,
    SourceRemoved,
    SourceReplaced,
    StaleCells,
    TextAppended,
    UpdateAsked,
    ViewerReturned,
)
from schemas.fold import created, fold, fold_ink
from schemas.values import (
    CallOutcome,
    CancelReason,
    Citation,
    Column,
    Estimate,
    Policy,
    Reason,
    Section,
    SourceGiven,
)

FILE = Path(__file__).with_name("fold.json")
DOCUMENT = "00112233445566778899aabbccddeeff"
SEED = 20_261_124
FACTS_TWICE = 0.2
INK_TWICE = 0.3

Event = AnyFact | TextAppended


def _create(*outline: str) -> DocumentCreated:
    sources = tuple(
        SourceGiven(id=f"s{n}", name=f"Source {n}", media_type="text/plain", size_bytes=10 * n, digest=f"d{n}")
        for n in (1, 2)
    )
    sections = tuple(Section(id=id_, heading=id_.upper(), instructions=f"Write {id_}.") for id_ in outline)
    return DocumentCreated(
        at_ms=1_000, title="Title", brief="Brief", policy=Policy(), sources=sources, outline=sections
    )


def _queued(cell: str, job: int = 1, revision: int = 1) -> CellQueued:
    return CellQueued(
        at_ms=1_100 + job,
        cell=cell,
        revision=revision,
        job=job,
        input_digest=f"in-{revision}",
        lane="interactive",
        deadline_ms=1_801_000,
    )


def _started(cell: str, attempt: int, model: str = "simulator/scribe") -> AttemptStarted:
    return AttemptStarted(
        at_ms=1_200,
        cell=cell,
        attempt=attempt,
        writer="w-1",
        model=model,
        tokens_out_max=2_000,
        cost_max=0.5,
        fell_back_from="" if model == "simulator/scribe" else "simulator/scribe",
        tries_max=6,
    )


def _ink(cell: str, attempt: int, text: str, size: int) -> list[Event]:
    return [
        TextAppended(cell=cell, attempt=attempt, offset=at, text=text[at : at + size])
        for at in range(0, len(text), size)
    ]


def _settled(cell: str, attempt: int, outcome: CallOutcome = "finished", call: int = 1) -> CallSettled:
    return CallSettled(
        at_ms=1_400,
        cell=cell,
        attempt=attempt,
        call=call,
        model="simulator/scribe",
        outcome=outcome,
        tokens_in=100,
        tokens_out=20,
        cost=0.25,
        exact=outcome == "finished",
        duration_ms=200,
        first_token_ms=90,
    )


def _completed(cell: str, attempt: int, text: str, revision: int = 1, fell_back_from: str = "") -> CellCompleted:
    return CellCompleted(
        at_ms=1_500,
        cell=cell,
        revision=revision,
        attempt=attempt,
        text=text,
        output_digest=text_digest(text),
        model="simulator/scribe",
        fell_back_from=fell_back_from,
        citations=(Citation(start=0, end=4, source="s1", passage=1, quote="q", verified=True),),
        tokens_out=20,
        cost=0.25,
        first_token_ms=90,
        duration_ms=200,
    )


def _failed(cell: str, attempt: int, next_model: str = "", text: str = "") -> AttemptFailed:
    return AttemptFailed(
        at_ms=1_300,
        cell=cell,
        attempt=attempt,
        kind="cut",
        message="The answer broke off.",
        model="simulator/scribe",
        retry_at_ms=1_350,
        next_model=next_model,
        text=text,
    )


def _cancelled(cell: str, attempt: int, reason: CancelReason = "stopped", text: str = "") -> AttemptCancelled:
    return AttemptCancelled(
        at_ms=1_660,
        cell=cell,
        attempt=attempt,
        reason=reason,
        asked_at_ms=1_600,
        closed_at_ms=1_638,
        calls_closed=1,
        characters=4,
        tokens_saved=700,
        cost_saved=0.125,
        text=text,
    )


def _cell_stopped(cell: str, job: int = 1) -> CellStopped:
    return CellStopped(at_ms=1_610, cell=cell, job=job, asked_at_ms=1_600)


def _stories() -> dict[str, list[Event]]:
    a1, a2, a3 = attempt_number(1, 1, 1), attempt_number(1, 1, 2), attempt_number(1, 2, 1)
    b1, r1 = attempt_number(2, 1, 1), attempt_number(3, 1, 1)
    text = 'Über 😀 scribes [[s1:1 "q"]] — wrote.'
    stop = DocumentPaused(at_ms=1_610, reason="stop_asked", asked_at_ms=1_600)
    write: list[Event] = [_queued("a"), _started("a", a1), *_ink("a", a1, text, 5), _settled("a", a1)]
    return {
        "a document is planned, read and written": [
            _create(),
            SourceIngested(at_ms=1_010, source="s1", digest="t1", passages=3, characters=900, pages=2),
            SourceFailed(at_ms=1_020, source="s2", message="This PDF is damaged."),
            _queued(PLAN_CELL),
            _started(PLAN_CELL, a1),
            _settled(PLAN_CELL, a1),
            OutlinePlanned(at_ms=1_150, attempt=a1, sections=(Section(id="a", heading="A"),), title="Planned"),
            *write,
            _completed("a", a1, text),
            DocumentCompleted(at_ms=1_700, cells_completed=1, cells_failed=0),
        ],
        "a cut stream is retried by another model and its text starts anew": [
            _create("a"),
            *write[:5],
            _settled("a", a1, "failed"),
            _failed("a", a1, "simulator/scribe-large"),
            _started("a", a2, "simulator/scribe-large"),
            *_ink("a", a2, text[::-1], 7),
            _completed("a", a2, text[::-1], fell_back_from="simulator/scribe"),
        ],
        "a frozen writer comes back and talks to nobody": [
            _create("a", "b"),
            *write[:4],
            _started("a", a3),
            *_ink("a", a3, "The second hand.", 4),
            *_ink("a", a1, text, 9),
            _completed("a", a1, text),
            _completed("a", a3, "The second hand."),
            *_ink("a", a2, "late", 2),
        ],
        "a stop, its receipts, and a resume": [
            _create("a", "b"),
            *write[:5],
            _queued("b"),
            stop,
            _cancelled("a", a1),
            _settled("a", a1, "cancelled"),
            DocumentResumed(at_ms=9_000),
            _queued("a", job=2),
            _started("a", b1),
            *_ink("a", b1, "Anew.", 2),
            *_ink("a", a1, text, 3),
        ],
        "cells are stopped by themselves, and a stop and a resume of all leave them so": [
            _create("a", "b", "c"),
            CellsQueued(at_ms=1_101, cells=(_queued("a"), _queued("b"), _queued("c"))),
            _started("a", a1),
            *_ink("a", a1, "Ü😀", 1),
            _cell_stopped("a"),
            _cell_stopped("b"),
            _started("c", a1),
            _cell_stopped("c", job=2),
            _started("b", a1),
            stop,
            _cancelled("a", a1, text="Ü😀, and as far as that."),
            _settled("a", a1, "cancelled"),
            _cancelled("c", a1),
            CellFailed(at_ms=1_670, cell="a", revision=1, job=1, kind="deadline", message="Too late."),
            DocumentResumed(at_ms=9_000),
            _queued("c", job=2),
            _started("c", b1),
            _completed("c", b1, text),
            DocumentCompleted(at_ms=9_100, cells_completed=1, cells_failed=0, cells_stopped=2),
        ],
        "a cell is stopped and then its document, and each receipt is of its own stop": [
            _create("a", "b"),
            CellsQueued(at_ms=1_101, cells=(_queued("a"), _queued("b"))),
            _started("a", a1),
            _started("b", a1),
            _cell_stopped("a"),
            _cell_stopped("b", job=2),
            stop,
            _cancelled("a", a1),
            _cancelled("b", a1),
        ],
        "a cell that was stopped between two tries outlives an edit, and goes on with the document that was over": [
            _create("a", "b"),
            *write[:5],
            _failed("a", a1, text="Half"),
            _cell_stopped("a"),
            _cancelled("a", a1),
            DocumentCompleted(at_ms=1_700, cells_completed=0, cells_failed=0, cells_stopped=1),
            DocumentEdited(at_ms=2_000, title="Other"),
            DocumentResumed(at_ms=2_010, because="edited"),
            DocumentCompleted(at_ms=2_020, cells_completed=0, cells_failed=0, cells_stopped=1),
            DocumentResumed(at_ms=9_000),
            _queued("a", job=2),
            _started("a", b1),
            *_ink("a", b1, "Anew.", 2),
        ],
        "a rewrite is stopped, and what there was is right again": [
            _create("a", "b"),
            *write,
            _completed("a", a1, text),
            UpdateAsked(at_ms=2_000, cells=("a",)),
            _queued("a", job=2, revision=2),
            _started("a", b1),
            *_ink("a", b1, "New", 1),
            _cell_stopped("a", job=2),
            _cancelled("a", b1, text="New and"),
            CellWithdrawn(at_ms=2_040, cell="a", job=1),
            CellWithdrawn(at_ms=2_050, cell="a", job=2),
        ],
        "what was cut off is read by whoever comes when its ink is gone": [
            _create("a", "b"),
            CellsQueued(at_ms=1_101, cells=(_queued("a"), _queued("b"))),
            _started("a", a1),
            *_ink("a", a1, "Ü😀", 1),
            _started("b", a1),
            _failed("b", a1, text="Half a 😀 word"),
            stop,
            _cancelled("a", a1, text="Ü😀, and as far as that."),
            *_ink("a", a1, "Ü😀, and as", 4),
        ],
        "nobody watches, somebody returns, a hedge loses its race": [
            _create("a", "b"),
            CellsQueued(at_ms=1_101, cells=(_queued("a"), _queued("b"))),
            _started("a", a1),
            CallReserved(at_ms=1_250, cell="a", attempt=a1, call=2, model="simulator/scribe", cost_max=0.5),
            LastViewerLeft(at_ms=1_260, pauses_at_ms=11_260),
            *_ink("a", a1, "Half", 1),
            ViewerReturned(at_ms=1_270),
            _settled("a", a1, "lost_race", 2),
            _cancelled("a", a1, "writer_stopping"),
        ],
        "a cell is rewritten and keeps its old text until the new has some": [
            _create("a"),
            *write,
            _completed("a", a1, text),
            _queued("a", job=2, revision=1),
            _queued("a", job=3, revision=2),
            _started("a", r1),
            *_ink("a", r1, "New", 1),
        ],
        "a cell fails for good and keeps its text": [
            _create("a"),
            *write[:6],
            CellFailed(at_ms=1_550, cell="a", revision=1, job=1, kind="repetition", message="It would not halt."),
            DocumentCompleted(at_ms=1_700, cells_completed=0, cells_failed=1),
        ],
        "what is queued in the moment of a stop is not wanted": [
            _create("a", "b", "c"),
            _queued("a"),
            LastViewerLeft(at_ms=1_260, pauses_at_ms=11_260),
            _queued("b"),
            stop,
            _queued("c"),
        ],
        "a cell waits for money, and another was written before": [
            _create("a", "b"),
            _queued("a"),
            _queued("b"),
            _started("a", a1),
            CellDeferred(at_ms=1_210, cell="b", attempt=a1, cost_needed=0.5),
            *_ink("a", a1, text, 5),
            _settled("a", a1, "failed"),
            _failed("a", a1),
            CellDeferred(at_ms=1_320, cell="a", attempt=a2, cost_needed=0.25),
            CellDeferred(at_ms=1_330, cell="a", attempt=a3, cost_needed=0.75),
            _queued("b", job=2),
            replace(_completed("b", b1, "Known."), cached=True, tokens_in=80),
            replace(_completed("b", b1, "Known twice."), cached=True, tokens_in=80),
        ],
        "a plan is looked over before anything is written": [
            replace(_create(), policy=Policy(plan_first=True)),
            _queued(PLAN_CELL),
            _started(PLAN_CELL, a1),
            OutlinePlanned(at_ms=1_150, attempt=a1, sections=(Section(id="a", heading="A"),), title="Planned"),
            DocumentPaused(at_ms=1_160, reason="plan_ready", asked_at_ms=1_160),
            DocumentResumed(at_ms=9_000),
            *write,
        ],
        **_edit_stories(write, a1, text),
        "no outline can be planned": [
            _create(),
            _queued(PLAN_CELL),
            DocumentFailed(at_ms=1_900, kind="bad_outline", message="The outline has a cycle."),
        ],
    }


def _given(id_: str, digest: str) -> SourceGiven:
    return SourceGiven(id=id_, name=f"{id_}.md", media_type="text/markdown", size_bytes=9, digest=digest)


def _edit_stories(write: list[Event], a1: int, text: str) -> dict[str, list[Event]]:
    """`write` ends before the first attempt `a1` of the cell `a` has completed `text`."""
    done = [*write, _completed("a", a1, text), DocumentCompleted(at_ms=1_700, cells_completed=1, cells_failed=0)]
    again = attempt_number(2, 1, 1)
    after_hand = attempt_number(3, 1, 1)
    estimate = Estimate(cells=2, calls=2, tokens_in=900, tokens_out=300, cost=0.5, duration_ms=9_000)
    by_hand = CellEdited(
        at_ms=2_000, cell="a", text="By hand.", input_digest="in-1", output_digest=text_digest("By hand."), who="Ada"
    )
    offered: list[Event] = [
        *done,
        by_hand,
        RewriteAsked(at_ms=2_100, cell="a", salt="5a17", model="simulator/scribe-large"),
        DocumentResumed(at_ms=2_110, because="edited"),
        _queued("a", job=3, revision=3),
        _started("a", after_hand),
        *_ink("a", after_hand, "Offered.", 3),
        _completed("a", after_hand, "Offered.", revision=3),
    ]
    columns = (Column(id="q1", heading="Year", format="number"), Column(id="q2", heading="Where", sample=("s1",)))
    table = Section(id="t", heading="T", columns=columns)
    return {
        "a text by hand outranks what is being written, and what the model still says is ignored": [
            _create("a"),
            *write[:5],
            by_hand,
            *_ink("a", a1, text, 7),
            _completed("a", a1, text),
            CellUnlocked(at_ms=2_200, cell="a", cause="undo"),
        ],
        "a rewrite is offered beside a locked text, and taken": [
            *[_create("a"), *offered],
            OfferAccepted(at_ms=2_300, cell="a", revision=2, who="Bob"),
            OfferAccepted(at_ms=2_310, cell="a", revision=3),
        ],
        "a rewrite is offered and declined": [_create("a"), *offered, OfferDeclined(at_ms=2_300, cell="a", revision=3)],
        "an edit makes cells stale, one is withdrawn, and undoing it makes them fresh": [
            _create("a", "b"),
            *done,
            DocumentEdited(at_ms=2_000, title="New", brief="Other", estimate=estimate),
            DocumentResumed(at_ms=2_010, because="edited"),
            _queued("a", job=2, revision=2),
            _started("a", again),
            *_ink("a", again, "Half", 2),
            DocumentEdited(at_ms=2_020, brief="Brief", cause="undo", estimate=estimate),
            CellWithdrawn(at_ms=2_030, cell="a", job=1),
            CellWithdrawn(at_ms=2_040, cell="a", job=2),
            CellsStaled(
                at_ms=2_050,
                groups=(
                    StaleCells(reasons=(Reason(kind="brief"),), cells=("a", "b")),
                    StaleCells(reasons=(Reason(kind="section", what="a"), Reason(kind="inputs")), cells=("c",)),
                ),
            ),
            CellsFreshened(at_ms=2_060, cells=("a", "z")),
            _settled("a", again, "cancelled"),
            DocumentCompleted(at_ms=9_000, cells_completed=2, cells_failed=0),
        ],
        "the last bill comes right behind the end": [
            _create("a"),
            *done,
            DocumentEdited(at_ms=2_000, brief="Other", estimate=estimate),
            DocumentResumed(at_ms=2_010, because="edited"),
            _queued("a", job=2, revision=2),
            _started("a", again),
            _completed("a", again, "Another.", revision=2),
            DocumentCompleted(at_ms=9_000, cells_completed=1, cells_failed=0),
            _settled("a", again),
        ],
        "sections and columns come, go and change": [
            _create("a", "b"),
            *done,
            OutlineEdited(at_ms=2_000, sections=(table, Section(id="a", heading="A", depends_on=("t",)))),
            SectionEdited(at_ms=2_010, section=Section(id="t", heading="Table", columns=(columns[1], columns[0]))),
            SectionEdited(
                at_ms=2_020,
                section=Section(id="t", heading="Table", columns=(Column(id="q1", heading="When"), columns[1])),
            ),
            SectionEdited(at_ms=2_030, section=Section(id="z", heading="Nowhere")),
            SectionEdited(
                at_ms=2_040, section=Section(id="a", heading="B", instructions="Write a.", depends_on=("t",))
            ),
            UpdateAsked(at_ms=2_050, cells=("a", "t:s1:q1")),
        ],
        "sources come, go and change": [
            _create("a"),
            SourceIngested(at_ms=1_010, source="s1", digest="t1", passages=3, characters=900),
            SourceAdded(at_ms=2_000, source=_given("s9", "d9"), before="s2", cause="watcher", who="/srv/papers"),
            SourceAdded(at_ms=2_010, source=_given("s9", "again")),
            SourceAdded(at_ms=2_020, source=_given("s8", "d8"), before="gone"),
            SourceReplaced(at_ms=2_030, source=_given("s1", "d1b"), cause="webhook"),
            SourceReplaced(at_ms=2_040, source=_given("s7", "d7")),
            SourceRemoved(at_ms=2_050, source="s2"),
            SourceRemoved(at_ms=2_060, source="s2"),
        ],
        "a document that is updated by hand, a lock, and a text from before": [
            _create("a"),
            *done,
            PolicyChanged(at_ms=2_000, policy=Policy(updates="manual", model="simulator/scribe-large")),
            PolicyChanged(at_ms=2_010, policy=Policy(updates="manual", model="simulator/scribe-large", budget=1.0)),
            CellLocked(at_ms=2_020, cell="b"),
            CellLocked(at_ms=2_030, cell="a"),
            CellRestored(
                at_ms=2_040,
                cell="a",
                text="Before.",
                input_digest="in-0",
                output_digest=text_digest("Before."),
                model="simulator/scribe",
                salt="5a17",
                cause="undo",
            ),
            UpdateAsked(at_ms=2_050, cells=("a",)),
            CellFailed(at_ms=2_060, cell="a", revision=2, job=1, kind="cut", message="It broke off."),
            DocumentCompleted(at_ms=9_000, cells_completed=1, cells_failed=0),
        ],
    }


def _arrivals(events: list[Event], rng: random.Random) -> list[dict[str, Any]]:
    """Facts keep their order; ink comes anywhere after the creation; some of each comes twice."""
    facts = [event for event in events if not isinstance(event, TextAppended)]
    inks = [event for event in events if isinstance(event, TextAppended)]
    steps: list[dict[str, Any]] = []
    for sequence, fact in enumerate(facts, 1):
        step = {"fact": msgspec.to_builtins(fact), "sequence": 10 * sequence}
        steps += [step, step] if sequence > 1 and rng.random() < FACTS_TWICE else [step]
    for ink in inks + [ink for ink in inks if rng.random() < INK_TWICE]:
        steps.insert(rng.randint(1, len(steps)), {"ink": msgspec.to_builtins(ink)})
    return steps


def _folded(steps: list[dict[str, Any]]) -> Document:
    document: Document | None = None
    for step in steps:
        if "ink" in step:
            assert document is not None  # noqa: S101 -- the first step is the creation
            document = fold_ink(document, msgspec.convert(step["ink"], TextAppended))
            continue
        fact = msgspec.convert(step["fact"], AnyFact)
        sequence = step["sequence"]
        document = created(DOCUMENT, fact, sequence) if document is None else fold(document, fact, sequence)
    assert document is not None  # noqa: S101
    return document


def recorded() -> str:
    """The file's content: for each story, in its own order and in three shuffled ones, the steps and the document."""
    rng = random.Random(SEED)  # noqa: S311 -- a schedule, not a secret
    vectors: list[dict[str, Any]] = []
    for name, events in _stories().items():
        for arrival in range(3):
            steps = _arrivals(events, rng)
            vectors.append(
                {
                    "name": f"{name} ({arrival + 1})",
                    "document_id": DOCUMENT,
                    "steps": steps,
                    "document": msgspec.to_builtins(_folded(steps)),
                }
            )
    return json.dumps(vectors, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write the vectors, or check them."""
    content = recorded()
    if "--check" in sys.argv:
        if FILE.read_text(encoding="utf-8") != content:
            sys.exit(f"{FILE.name} is not what the fold makes: python -m schemas.vectors.record")
        return
    FILE.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
