"""A document's progress, as a terminal shows it."""

from __future__ import annotations

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
    Failed,
    Paused,
    Queued,
    Retrying,
    Source,
    Waiting,
    Writing,
)
from schemas.events import PLAN_CELL
from schemas.values import Section


class Progress:
    """Renders the document that it was given last."""

    def __init__(self) -> None:
        self.document: Document | None = None

    def __rich__(self) -> Table | str:
        return "" if self.document is None else table(self.document)


def table(document: Document) -> Table:
    """One line a source that is not read yet, one a section, and what it cost."""
    shown = Table(box=None, show_header=False, title=document.title, title_justify="left", caption_justify="left")
    for source in document.sources.values():
        if source.digest is None:
            shown.add_row(Text(source.given.name), *_source(source))
    plan = document.cells.get(PLAN_CELL)
    if not document.outline:
        shown.add_row(Text("Outline"), *_cell(plan or Cell(id=PLAN_CELL)), "")
    for section in document.outline:
        shown.add_row(Text(section.heading), *_section(document, section))
    ledger = document.ledger
    tokens = f"{ledger.tokens_in:,} tokens in, {ledger.tokens_out:,} out"
    shown.caption = f"{ledger.calls} calls, {tokens}, ${ledger.cost:.4f}{_ending(document)}"
    return shown


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
        return "!", Text(source.failure, style="red"), ""
    return "…", Text("being read"), ""


def _section(document: Document, section: Section) -> tuple[str, Text, str]:
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
    return _sign(cell.state), Text(_words(cell.state))


def _sign(state: CellState) -> str:
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


def _words(state: CellState) -> str:
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
