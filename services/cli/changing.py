"""Makes edits, one or several, and says what becomes of them. What a command wants is a list of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from rich.console import Group
from rich.text import Text

from schemas.document import Paused
from schemas.edit_requests import Edited, Preview
from schemas.values import Estimate
from services.cli.asking import Asking
from services.cli.progress import follow
from services.cli.showing import cost, preview
from services.client import Conflict, DocumentClient, Edits, Problem


class Step(msgspec.Struct, frozen=True):
    """One edit, and what to call it."""

    what: str
    do: Callable[[Edits[Any], int | None], Awaitable[Any]]
    """Makes it, or previews it: whichever the edits given to it do. The second is `if_match`."""


class StepMade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An edit that stands."""

    what: str
    sequence: int
    version: int
    changed: bool
    estimate: Estimate
    source: str | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What a changing command answers as JSON."""

    id: str
    edits: tuple[StepMade, ...]
    run: str | None
    """How the document stood when nothing was being written any more; None: nobody waited for that."""


class StepShown(msgspec.Struct, frozen=True, kw_only=True):
    """An edit that was not made."""

    what: str
    preview: Preview


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """What a changing command answers as JSON to `--preview`: each edit by itself, on top of the document as it is."""

    id: str
    previews: tuple[StepShown, ...]


class How(NamedTuple):
    """What the options said of how to change."""

    preview: bool = False
    if_match: int | None = None
    wait: bool = True


Steps = Callable[[DocumentClient], Awaitable[Sequence[Step]]]


async def change(asking: Asking, name: str, steps: Sequence[Step] | Steps, how: How) -> int:
    """An exit code. Before the first of several edits is made, all have been previewed: a bad one leaves nothing half done."""
    async with asking.document(name) as document:
        wanted = await steps(document) if callable(steps) else steps
        if how.preview or len(wanted) > 1:
            shown = [
                StepShown(what=step.what, preview=await step.do(document.preview, how.if_match)) for step in wanted
            ]
            if how.preview:
                _show(asking, document, shown)
                return 0
        made = await _make(asking, document, wanted, how.if_match)
        if not how.wait or not any(step.changed for step in made):
            _answer(asking, document, made, None)
            return 0
        try:
            outcome = await follow(document, asking.console, made[0].sequence)
        except asyncio.CancelledError:
            asking.say("The edit stands; what follows from it pauses by itself where nobody watches.")
            raise
        _answer(asking, document, made, type(outcome.document.run).__name__)
        match outcome.document.run:
            case Paused(reason="stop_asked" | "plan_ready"):
                asking.say("The document is stopped: `scriptorium resume` writes what follows from this.")
                return 0
            case _:
                return int(outcome.went_wrong)


async def _make(
    asking: Asking, document: DocumentClient, steps: Sequence[Step], if_match: int | None
) -> list[StepMade]:
    made: list[StepMade] = []
    for step in steps:
        try:
            edited: Edited = await step.do(document, if_match)
        except (Problem, Conflict):
            if made:
                asking.say(f"Made before that: {', '.join(one.what for one in made)}.")
            raise
        made.append(StepMade(what=step.what, **{name: getattr(edited, name) for name in edited.__struct_fields__}))
        if if_match is not None:
            if_match = edited.sequence  # What we did ourselves is no conflict.
    return made


def _show(asking: Asking, document: DocumentClient, shown: Sequence[StepShown]) -> None:
    parts = [preview(step.what, step.preview) for step in shown]
    if len(shown) > 1:
        parts.append(Text("Each by itself: cells that several of them touch are written once."))
    asking.answer(Previewed(id=document.id, previews=tuple(shown)), Group(*parts))


def _answer(asking: Asking, document: DocumentClient, made: Sequence[StepMade], run: str | None) -> None:
    lines = [
        f"{step.what}: {f'sequence {step.sequence}. {cost(step.estimate)}' if step.changed else 'it is so already.'}"
        for step in made
    ]
    asking.answer(Changed(id=document.id, edits=tuple(made), run=run), "\n".join(lines))
