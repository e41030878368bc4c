"""Random logs that a conductor and its writers could have written: the truth that the fold is held to.

A small model of the real thing draws cells, jobs, deliveries, tries, failures, stops and late writers; it yields facts in the
order of their log, and ink in the order in which each attempt wrote it.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.events import (
    AnyFact,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    CallSettled,
    CellCompleted,
    CellFailed,
    CellQueued,
    CellStopped,
    DocumentCreated,
    DocumentPaused,
    DocumentResumed,
    LastViewerLeft,
    TextAppended,
    ViewerReturned,
)
from schemas.values import Policy, Section

DOCUMENT = "0123456789abcdef0123456789abcdef"

Event = AnyFact | TextAppended


class Written(NamedTuple):
    """One history: everything in the order in which it happened, and the text of each attempt."""

    events: tuple[Event, ...]
    texts: dict[tuple[str, int], str]


texts = st.text(alphabet="ab é漢😀\n[]", min_size=0, max_size=24)


def _cuts(draw: st.DrawFn, text: str) -> list[tuple[int, str]]:
    pieces: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        size = draw(st.integers(1, 6))
        pieces.append((at, text[at : at + size]))
        at += size
    return pieces


@st.composite
def histories(draw: st.DrawFn) -> Written:
    """A document of one to three cells, written, interrupted, retried, taken over and rewritten."""
    names = [f"c{n}" for n in range(draw(st.integers(1, 3)))]
    outline = tuple(Section(id=name, heading=name.upper()) for name in names)
    events: list[Event] = [DocumentCreated(at_ms=0, title="T", brief="B", policy=Policy(), outline=outline)]
    written: dict[tuple[str, int], str] = {}
    job = dict.fromkeys(names, 0)
    revision = dict.fromkeys(names, 0)
    clock = 0
    for _ in range(draw(st.integers(1, 6))):
        clock += 1
        name = draw(st.sampled_from(names))
        if draw(st.booleans()) or job[name] == 0:
            revision[name] += 1
        job[name] += 1
        events.append(
            CellQueued(
                at_ms=clock,
                cell=name,
                revision=revision[name],
                job=job[name],
                input_digest=f"in-{revision[name]}",
                lane="interactive",
                deadline_ms=1_000_000,
            )
        )
        for delivery in range(1, draw(st.integers(1, 3)) + 1):
            for try_ in range(1, draw(st.integers(1, 2)) + 1):
                clock += 1
                attempt = attempt_number(job[name], delivery, try_)
                text = draw(texts)
                written[name, attempt] = text
                events.append(AttemptStarted(at_ms=clock, cell=name, attempt=attempt, writer="w", model="m/a"))
                events.extend(
                    TextAppended(cell=name, attempt=attempt, offset=offset, text=piece)
                    for offset, piece in _cuts(draw, text)
                )
                events.extend(_ended(draw, name, attempt, revision[name], job[name], text, clock))
    return Written(tuple(events), written)


def _ended(draw: st.DrawFn, name: str, attempt: int, revision: int, job: int, text: str, clock: int) -> list[Event]:  # noqa: PLR0913, PLR0917 -- all that an ending names
    settled = CallSettled(
        at_ms=clock,
        cell=name,
        attempt=attempt,
        call=1,
        model="m/a",
        outcome="finished",
        tokens_in=3,
        tokens_out=len(text),
        cost=0.25,
        exact=True,
        duration_ms=5,
    )
    match draw(st.sampled_from(["completed", "failed", "cell failed", "frozen", "stopped", "cell stopped", "left"])):
        case "completed":
            done = CellCompleted(
                at_ms=clock,
                cell=name,
                revision=revision,
                attempt=attempt,
                text=text,
                output_digest=text_digest(text),
            )
            return [settled, done]
        case "failed":
            return [
                settled,
                AttemptFailed(
                    at_ms=clock,
                    cell=name,
                    attempt=attempt,
                    kind="cut",
                    message="m",
                    retry_at_ms=clock + 5,
                    text=draw(st.sampled_from(["", text])),
                ),
            ]
        case "cell failed":
            return [
                settled,
                CellFailed(at_ms=clock, cell=name, revision=revision, job=job, kind="server_error", message="m"),
            ]
        case "stopped" | "cell stopped" as what:
            receipt = AttemptCancelled(
                at_ms=clock,
                cell=name,
                attempt=attempt,
                reason="stopped",
                asked_at_ms=clock,
                closed_at_ms=clock + 1,
                calls_closed=1,
                tokens_saved=7,
                text=draw(st.sampled_from(["", text])),
            )
            if what == "cell stopped":
                return [CellStopped(at_ms=clock, cell=name, job=job, asked_at_ms=clock), receipt]
            return [
                DocumentPaused(at_ms=clock, reason="stop_asked", asked_at_ms=clock),
                receipt,
                DocumentResumed(at_ms=clock),
            ]
        case "left":
            return [LastViewerLeft(at_ms=clock, pauses_at_ms=clock + 9), ViewerReturned(at_ms=clock)]
        case _:
            return []
