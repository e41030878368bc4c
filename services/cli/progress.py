"""A document's progress, as a terminal shows it: drawn over and over where that can be, else a line for each thing that is done."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import aclosing

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schemas.attempts import spelled
from schemas.cells import cells_of_section, text_of
from schemas.document import (
    Abandoned,
    Cancelled,
    Cell,
    CellState,
    Completed,
    Document,
    Done,
    Failed,
    Paused,
    Queued,
    Retrying,
    Source,
    Waiting,
    Writing,
    is_missing,
    is_stopped_alone,
)
from schemas.events import PLAN_CELL
from schemas.standing import is_settled
from schemas.values import Section
from services.cli.plain import plain
from services.client import DocumentClient

REDRAWS_PER_SECOND = 8


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a document stands when it was followed to its end."""

    document: Document
    went_wrong: bool
    """It was given up or stopped, or a cell of it failed or was stopped."""


async def follow(document: DocumentClient, console: Console, since: int = 0) -> Outcome:
    """Until nothing is being written any more. Whoever follows counts as a viewer. What failed before `since` is old news."""
    async with aclosing(document.watch()) as documents:
        return await followed(documents, console, is_settled, since)


async def followed(
    documents: AsyncIterable[Document], console: Console, is_over: Callable[[Document], bool], since: int = 0
) -> Outcome:
    """Show each of them, until one is the last."""
    if not is_drawn(console):
        said: set[str] | None = None
        async for document in documents:
            if said is None:
                said = set()
                list(news(document, said))  # What was so before is no news.
            for line in news(document, said):
                console.print(plain(line), markup=False)
            if is_over(document):
                console.print(Text(plain(_sum(document))))
                return _outcome(document, since)
        raise AssertionError("a watch has no end of its own")
    progress = Progress()
    # Drawn by a thread of its own, a few times a second: not once a token.
    with Live(progress, console=console, refresh_per_second=REDRAWS_PER_SECOND):
        async for document in documents:
            progress.document = document
            if is_over(document):
                return _outcome(document, since)
    raise AssertionError("a watch has no end of its own")


def is_drawn(console: Console) -> bool:
    """Whether lines may be drawn over: a terminal, and nobody asked for quiet (no-color.org, `TERM=dumb`)."""
    return console.is_terminal and not console.is_dumb_terminal and not os.environ.get("NO_COLOR")


def news(document: Document, said: set[str]) -> Iterator[str]:
    """A line for each section and source that is done, failed or was stopped by itself, each once."""
    found: dict[str, str] = {}
    for id_, source in document.sources.items():
        if source.failure is not None:
            found[f"source {id_} {source.given.digest}"] = f"! {source.given.name}: {source.failure}"
    for section in document.outline:
        cells = [document.cells.get(id_, Cell(id=id_)) for id_ in cells_of_section(section, document.sources)]
        over = [cell for cell in cells if isinstance(cell.state, Completed | Failed) or is_stopped_alone(cell)]
        if cells and len(over) == len(cells):
            revisions = ",".join(str(cell.revision) for cell in cells)
            sign, words, counted = line_of(document, section)
            found[f"section {section.id} {revisions}"] = (
                f"{sign} {section.heading}: {words.plain}, {counted or 'empty'}"
            )
    for key, line in found.items():
        if key not in said:
            said.add(key)
            yield line


def _outcome(document: Document, since: int) -> Outcome:
    missing = any(is_missing(cell) and cell.asked_at >= since for cell in document.cells.values())
    return Outcome(document=document, went_wrong=missing or not isinstance(document.run, Done))


class Progress:
    """Renders the document that it was given last."""

    def __init__(self) -> None:
        self.document: Document | None = None

    def __rich__(self) -> Table | str:
        return "" if self.document is None else table(self.document)


def table(document: Document) -> Table:
    """One line a source that is not read yet, one a section, and what it cost."""
    shown = Table(
        box=None, show_header=False, title=Text(plain(document.title)), title_justify="left", caption_justify="left"
    )
    for source in document.sources.values():
        if source.digest is None:
            shown.add_row(Text(plain(source.given.name)), *_source(source))
    plan = document.cells.get(PLAN_CELL)
    if not document.outline:
        shown.add_row(Text("Outline"), *_cell(plan or Cell(id=PLAN_CELL)), "")
    for section in document.outline:
        shown.add_row(Text(plain(section.heading)), *line_of(document, section))
    shown.caption = Text(plain(_sum(document)))
    return shown


def _sum(document: Document) -> str:
    ledger = document.ledger
    tokens = f"{ledger.tokens_in:,} tokens in, {ledger.tokens_out:,} out"
    return f"{ledger.calls} calls, {tokens}, ${ledger.cost:.4f}{_ending(document)}"


def _ending(document: Document) -> str:
    match document.run:
        case Paused(reason=reason):
            return f"; stopped ({reason.replace('_', ' ')})"
        case Abandoned(message=message):
            return f"; given up: {message}"
        case _:
            return ""


def _source(source: Source) -> tuple[str, Text, str]:
    if source.failure is not None:
        return "!", Text(plain(source.failure), style="red"), ""
    return "…", Text("being read"), ""


def line_of(document: Document, section: Section) -> tuple[str, Text, str]:
    """Sign, state and words of a section."""
    ids = cells_of_section(section, document.sources)
    cells = [document.cells.get(id_, Cell(id=id_)) for id_ in ids]
    words = sum(len(text_of(document.cells, id_).split()) for id_ in ids)
    counted = f"{words} words" if words else ""
    if len(cells) == 1:
        return *_cell(cells[0]), counted
    done = sum(isinstance(cell.state, Completed) for cell in cells)
    sign = "✓" if done == len(cells) else "…"
    return sign, Text(f"{done} of {len(cells)} cells"), counted


def _cell(cell: Cell) -> tuple[str, Text]:
    """Sign and words: never colour alone."""
    return sign_of(cell.state), Text(plain(words_of(cell.state)))


def sign_of(state: CellState) -> str:
    """One character."""
    match state:
        case Waiting() | Queued():
            return "○"
        case Writing():
            return "…"
        case Retrying():
            return "↻"
        case Completed():
            return "✓"
        case Failed():
            return "!"
        case Cancelled():
            return "■"


def words_of(state: CellState) -> str:
    """What a cell is doing."""
    match state:
        case Waiting():
            return "waiting"
        case Queued():
            return "queued"
        case Writing(model=model, fell_back_from=before) if before:
            return f"{model}, instead of {before}"
        case Writing(model=model):
            return model
        case Retrying(message=message, attempt=attempt):
            return f"again after {spelled(attempt)}: {message}"
        case Completed():
            return "done"
        case Failed(message=message):
            return f"failed: {message}"
        case Cancelled():
            return "stopped"
