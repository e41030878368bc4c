"""Answers, as a terminal shows them. Each function makes a table or lines of a Struct, and asks nobody."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.cells import cell_id, cells_of_section, is_asked, text_of
from schemas.document import Cell, Completed, Document, Paused
from schemas.edit_requests import Change, Comparison, Difference, History, Preview
from schemas.library import Card
from schemas.preview import TouchedCell
from schemas.requests import Template
from schemas.sums import has_figures, in_words, sums_of
from schemas.values import Estimate, Reason, Section
from schemas.watches import FolderWatched, WatchShown
from services.cli.plain import plain
from services.cli.progress import line_of, sign_of, words_of

SHORT_ID_CHARACTERS: Final = 8
CURRENT_CHARACTERS_MAX: Final = 500
MINUTE_MS: Final = 60_000
REASONS: Final = {
    "brief": "the brief changes",
    "model": "another model",
    "heading": "heading",
    "instructions": "instructions",
    "depends_on": "other dependencies",
    "column": "question",
    "source_added": "new source",
    "source_replaced": "changed source",
    "source_removed": "removed source",
    "section": "follows",
    "rewrite": "asked for",
    "unlocked": "unlocked",
    "new": "new",
    "inputs": "its inputs changed",
}


# -- Small things ---------------------------------------------------------------------------------------------------------


def when(at_ms: int, zone: tzinfo | None = None) -> str:
    """Local time, to the minute."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def cost(estimate: Estimate) -> str:
    """What something comes to, in one line."""
    if not estimate.cells:
        return "Nothing is written, nothing spent."
    tokens = f"about {estimate.tokens_in:,} tokens in and {estimate.tokens_out:,} out"
    return f"{_counted(estimate.cells, 'cell')}, {_counted(estimate.calls, 'call')}, {tokens}, ${estimate.cost:.4f}, {_time(estimate.duration_ms)}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _time(duration_ms: int) -> str:
    if duration_ms < MINUTE_MS:
        return f"{duration_ms / 1_000:.0f} s"
    return f"{duration_ms / MINUTE_MS:.0f} min"


def _table(*columns: str, title: str = "") -> Table:
    table = Table(title=Text(plain(title)) if title else None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(Text(plain(str(cell))) for cell in cells))


# -- A document -----------------------------------------------------------------------------------------------------------


def document(shown: Document) -> RenderableType:
    """Its state: sections and cells, sources, what it cost."""
    return Group(*_document(shown))


def _document(shown: Document) -> Iterator[RenderableType]:
    yield Text(plain(shown.title or shown.brief.strip().partition("\n")[0]), style="bold")
    yield Text(plain(f"{run(shown)}; version {shown.version}, sequence {shown.sequence}; id {shown.id}"))
    sections = _table("Cell", "Heading", "", "State", "Text", "Notes")
    for section in shown.outline:
        sign, words, counted = line_of(shown, section)
        if section.columns:
            ids = cells_of_section(section, shown.sources)
            columns = ", ".join(column.id for column in section.columns)
            notes = [note for id_ in ids for note in _notes(shown.cells.get(id_, Cell(id=id_)))]
            told = "; ".join([f"table: {columns}", *dict.fromkeys(notes)])
            _row(sections, section.id, section.heading, sign, words.plain, counted, told)
        else:
            cell = shown.cells.get(section.id, Cell(id=section.id))
            _row(sections, section.id, section.heading, sign, words.plain, counted, "; ".join(_notes(cell)))
    if shown.outline:
        yield Text("")
        yield sections
    if shown.sources:
        sources = _table("Source", "Name", "Read", "From")
        for id_, source in shown.sources.items():
            read = source.failure or (
                "being read"
                if source.digest is None
                else f"{source.passages} passages, {source.characters:,} characters"
            )
            _row(sources, id_, source.given.name, read, source.given.url or "file")
        yield Text("")
        yield sources
    ledger = shown.ledger
    yield Text("")
    yield Text(
        f"{_counted(ledger.calls, 'call')}, {ledger.tokens_in:,} tokens in, {ledger.tokens_out:,} out, ${ledger.cost:.4f}; "
        f"{_counted(ledger.cells_cached, 'cell')} taken from before"
    )


def run(shown: Document) -> str:
    """Whether it is running, resting or over, in words."""
    match shown.run:
        case Paused(reason=reason):
            return f"Paused ({reason.replace('_', ' ')})"
        case state:
            return type(state).__name__


def _notes(cell: Cell) -> Iterator[str]:
    if cell.completed is not None and cell.completed.by_hand:
        yield "by hand"
    if cell.locked:
        yield "locked"
    if cell.stale:
        yield f"stale: {_reasons(cell.stale)}"
    if cell.offer is not None:
        yield "a rewrite is offered"
    if cell.model is not None:
        yield f"by {cell.model}"


def section_table(shown: Document, section: Section) -> Table:
    """A table's answers: a row a source, a column a question; last, what each column comes to."""
    table = _table("Source", *(f"{column.heading} ({column.id})" for column in section.columns), title=section.heading)
    for id_, source in shown.sources.items():
        cells = [_answer(shown, cell_id(section.id, id_, c.id), is_asked=is_asked(c, id_)) for c in section.columns]
        _row(table, f"{id_} {source.given.name}", *cells)
    if has_figures(section):
        table.add_section()
        _row(table, "", *(in_words(sums_of(shown, section, column)) for column in section.columns))
    return table


def _answer(shown: Document, id_: str, *, is_asked: bool) -> str:
    if not is_asked:
        return "not asked"
    cell = shown.cells.get(id_, Cell(id=id_))
    text = text_of(shown.cells, id_)
    marks = "".join(f" [{note}]" for note in _notes(cell))
    if isinstance(cell.state, Completed):
        return text + marks
    return f"{sign_of(cell.state)} {text or words_of(cell.state)}{marks}"


# -- Changes --------------------------------------------------------------------------------------------------------------


def preview(what: str, found: Preview) -> RenderableType:
    """What an edit would come to."""
    table = _table("Cell", "", "Why")
    for cell in found.cells:
        _row(table, cell.cell, "written anew" if cell.certain else "if what it follows changes", _why(cell))
    for cell in found.kept:
        _row(table, cell.cell, "locked: kept, and marked", _why(cell))
    parts: list[RenderableType] = [Text(plain(what), style="bold"), Text(cost(found.estimate))]
    if found.waits and found.cells:
        parts.append(Text("None of it before an update is asked for: this document is updated by hand."))
    if found.cells or found.kept:
        parts.append(table)
    return Group(*parts)


def _why(cell: TouchedCell) -> str:
    return _reasons(cell.reasons)


def _reasons(reasons: Sequence[Reason]) -> str:
    return ", ".join(dict.fromkeys(_reason(reason) for reason in reasons))


def _reason(reason: Reason) -> str:
    words = REASONS.get(reason.kind, reason.kind)
    return f"{words} ({reason.what})" if reason.what else words


def history(found: History) -> RenderableType:
    """Every edit, newest first."""
    return Group(
        changes(found.changes),
        Text(
            f"The log goes from {found.earliest} to {found.latest}: every sequence in between is a moment to look at."
        ),
    )


def changes(found: Sequence[Change]) -> Table:
    """Edits, one a line."""
    table = _table("Sequence", "When", "What", "Of", "By", "Cells", "Expected")
    for one in found:
        by = one.who or one.cause
        expected = "" if one.estimate is None or not one.estimate.cells else f"${one.estimate.cost:.4f}"
        _row(table, one.sequence, when(one.at_ms), one.type, ", ".join(one.what), by, len(one.cells) or "", expected)
    return table


def moved(version: int, current: Any, since: Sequence[Change]) -> RenderableType:  # noqa: ANN401 -- whatever was to be changed
    """What the other did: a refusal 412."""
    parts: list[RenderableType] = [changes(since), Text(f"It is at version {version} now.")]
    if current is not None:
        now = msgspec.json.format(msgspec.json.encode(current), indent=2).decode()
        cut = now if len(now) <= CURRENT_CHARACTERS_MAX else f"{now[:CURRENT_CHARACTERS_MAX]} …"
        parts.append(Text(plain(f"What you meant to change is now:\n{cut}")))
    return Group(*parts)


def comparison(found: Comparison) -> RenderableType:
    """What differs between two moments: names first, then texts as a unified diff."""
    lines = [f"From {found.from_sequence} to {found.to_sequence}"]
    named = {
        "changed": found.fields,
        "sections added": found.sections_added,
        "sections removed": found.sections_removed,
        "sections changed": found.sections_changed,
        "sources added": found.sources_added,
        "sources removed": found.sources_removed,
        "sources replaced": found.sources_replaced,
    }
    lines += [f"{what}: {', '.join(ids)}" for what, ids in named.items() if ids]
    if len(lines) == 1 and not found.cells:
        lines.append("Nothing differs.")
    return Group(*(Text(plain(line)) for line in lines), *(line for one in found.cells for line in _diff(one)))


def _diff(one: Difference) -> Iterator[Text]:
    yield Text("")
    styles = {"+": "green", "-": "red", "@": "cyan"}
    before, after = ([] if text is None else text.splitlines() for text in (one.before, one.after))
    named = (f"{one.cell} before", f"{one.cell} after")
    for line in difflib.unified_diff(before, after, *named, lineterm=""):
        yield Text(plain(line), style=styles.get(line[:1], ""))


# -- Lists ----------------------------------------------------------------------------------------------------------------


def cards(found: Sequence[Card]) -> RenderableType:
    """A library."""
    if not found:
        return Text("There is no such document of yours here.")
    table = _table("Id", "Title", "State", "Cells", "Sources", "Changed", "Cost")
    for card in found:
        missing = {"failed": card.cells_failed, "stopped": card.cells_stopped}
        done = ", ".join([f"{card.cells_done} of {card.cells}", *(f"{n} {what}" for what, n in missing.items() if n)])
        title = card.title or card.brief.strip().partition("\n")[0]
        changed = when(card.changed_at_ms or card.created_at_ms)
        _row(table, card.id[:SHORT_ID_CHARACTERS], title, card.run, done, card.sources, changed, f"${card.cost:.4f}")
    return table


def templates(found: Sequence[Template]) -> Table:
    """Outlines to begin with."""
    table = _table("Id", "Name", "Sections", "What for")
    for template in found:
        sections = ", ".join(section.heading for section in template.sections)
        _row(
            table,
            template.id,
            f"{template.name}{' (yours)' if template.is_own else ''}",
            sections,
            template.description,
        )
    return table


def watches(found: Sequence[WatchShown], folders: Sequence[str]) -> RenderableType:
    """What a document follows."""
    offered = Text(plain(f"Folders that may be followed here: {', '.join(folders) or 'none is configured'}."))
    if not found:
        return Group(Text("It follows nothing by itself."), offered)
    table = _table("Id", "Follows", "Sources", "Looked", "Changed", "Trouble", "Webhook")
    for watch in found:
        what = f"{watch.what.folder}: {watch.what.glob}" if isinstance(watch.what, FolderWatched) else watch.what.url
        looked, changed = (when(at_ms) if at_ms else "never" for at_ms in (watch.looked_at_ms, watch.changed_at_ms))
        sources = ", ".join(watch.sources)
        _row(table, watch.id[:SHORT_ID_CHARACTERS], what, sources, looked, changed, watch.trouble, watch.hook or "")
    return Group(table, offered)
