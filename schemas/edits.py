"""What each edit does to a document. Part of the one fold, and called by it alone; pure.

An edit changes what is wanted, and remembers in `Document.edited` at which sequence each thing was changed last, so that a stale
cell can say why. It touches no cell but the one it names: which others it makes stale follows from their input digests
(`schemas/cells.py`), and it is the conductor that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce

from msgspec.structs import replace

from schemas.document import Cell, Completed, Completion, Document, Queued, Retrying, Source, Waiting, Writing
from schemas.events import (
    AnyEdit,
    CellEdited,
    CellLocked,
    CellRestored,
    CellUnlocked,
    DocumentEdited,
    DocumentRestored,
    OfferAccepted,
    OfferDeclined,
    OutlineEdited,
    PolicyChanged,
    RewriteAsked,
    SectionEdited,
    SourceAdded,
    SourceRemoved,
    SourceReplaced,
    UpdateAsked,
)
from schemas.values import Section, SourceGiven


def edited(document: Document, fact: AnyEdit, sequence: int) -> Document:
    """The document after an edit that stands at `sequence`."""
    return replace(_edited(document, fact, sequence), version=sequence)


def _edited(document: Document, fact: AnyEdit, sequence: int) -> Document:  # noqa: C901, PLR0911, PLR0912 -- one arm an edit
    match fact:
        case DocumentEdited():
            return _described(document, fact, sequence)
        case PolicyChanged(policy=policy):
            keys = ["model"] if policy.model != document.policy.model else []
            return _noted(replace(document, policy=policy), keys, sequence)
        case OutlineEdited(sections=sections):
            return _outlined(document, sections, sequence)
        case SectionEdited(section=section):
            sections = tuple(section if old.id == section.id else old for old in document.outline)
            return _outlined(document, sections, sequence)
        case CellEdited():
            return _cell(document, fact.cell, lambda cell: _by_hand(cell, fact, sequence))
        case CellRestored():
            return _cell(document, fact.cell, lambda cell: _restored(cell, fact, sequence))
        case CellLocked():
            return _cell(document, fact.cell, lambda cell: replace(cell, locked=cell.completed is not None))
        case CellUnlocked():
            unlocked = _cell(document, fact.cell, lambda cell: replace(cell, locked=False, offer=None))
            return _noted(unlocked, [f"unlocked:{fact.cell}"], sequence)
        case RewriteAsked():
            asked = _cell(document, fact.cell, lambda cell: replace(cell, salt=fact.salt, model=fact.model, asked=True))
            return _noted(asked, [f"rewrite:{fact.cell}"], sequence)
        case OfferAccepted():
            return _cell(document, fact.cell, lambda cell: _accepted(cell, fact, sequence))
        case OfferDeclined():
            return _cell(document, fact.cell, lambda cell: _declined(cell, fact, sequence))
        case UpdateAsked(cells=ids):
            asked_for = {id_: replace(document.cells.get(id_, Cell(id=id_)), asked=True) for id_ in ids}
            return replace(document, cells={**document.cells, **asked_for})
        case SourceAdded(source=source, before=before):
            return _added(document, source, before, sequence)
        case SourceReplaced(source=source):
            if source.id not in document.sources:
                return document
            sources = {**document.sources, source.id: Source(given=source, given_at=sequence)}
            return _noted(replace(document, sources=sources), [f"source_replaced:{source.id}"], sequence)
        case SourceRemoved(source=id_):
            sources = {kept: source for kept, source in document.sources.items() if kept != id_}
            return _noted(replace(document, sources=sources), [f"source_removed:{id_}"], sequence)
        case DocumentRestored(edits=parts):
            return reduce(lambda before, part: edited(before, part, sequence), parts, document)


def free_source_id(document: Document) -> str:
    """`s1`, `s2`, …: one more than the highest that there ever was."""
    known = [*document.sources, *(key.partition(":")[2] for key in document.edited if key.startswith("source_"))]
    numbers = [int(id_[1:]) for id_ in known if id_[:1] == "s" and id_[1:].isdecimal()]
    return f"s{max(numbers, default=0) + 1}"


# -- The document -------------------------------------------------------------------------------------------------------


def _noted(document: Document, keys: Iterable[str], sequence: int) -> Document:
    keys = tuple(keys)
    return replace(document, edited={**document.edited, **dict.fromkeys(keys, sequence)}) if keys else document


def _described(document: Document, fact: DocumentEdited, sequence: int) -> Document:
    title = document.title if fact.title is None else fact.title
    brief = document.brief if fact.brief is None else fact.brief
    keys = ["brief"] if brief != document.brief else []
    return _noted(replace(document, title=title, brief=brief), keys, sequence)


def _outlined(document: Document, sections: tuple[Section, ...], sequence: int) -> Document:
    was = {section.id: section for section in document.outline}
    keys = [key for section in sections if section.id in was for key in _changes(was[section.id], section)]
    return _noted(replace(document, outline=sections), keys, sequence)


def _changes(was: Section, now: Section) -> Iterator[str]:
    """What of a section is another thing than it was."""
    if now.heading != was.heading:
        yield f"heading:{now.id}"
    if now.instructions != was.instructions:
        yield f"instructions:{now.id}"
    if now.depends_on != was.depends_on:
        yield f"depends_on:{now.id}"
    columns = {column.id: replace(column, sample=()) for column in was.columns}
    for column in now.columns:
        if column.id in columns and replace(column, sample=()) != columns[column.id]:
            yield f"column:{now.id}:{column.id}"


def _added(document: Document, given: SourceGiven, before: str | None, sequence: int) -> Document:
    """A source that is there already is not added again."""
    if given.id in document.sources:
        return document
    sources: dict[str, Source] = {}
    for id_, source in document.sources.items():
        if id_ == before:
            sources[given.id] = Source(given=given, given_at=sequence)
        sources[id_] = source
    sources.setdefault(given.id, Source(given=given, given_at=sequence))
    return _noted(replace(document, sources=sources), [f"source_added:{given.id}"], sequence)


# -- One cell -----------------------------------------------------------------------------------------------------------


def _cell(document: Document, id_: str, change: Callable[[Cell], Cell]) -> Document:
    cell = document.cells.get(id_, Cell(id=id_))
    return replace(document, cells={**document.cells, id_: change(cell)})


def _by_hand(cell: Cell, fact: CellEdited, sequence: int) -> Cell:
    completion = Completion(
        revision=cell.revision + 1,
        attempt=0,
        at_ms=fact.at_ms,
        text=fact.text,
        input_digest=fact.input_digest,
        output_digest=fact.output_digest,
        citations=fact.citations,
        by_hand=True,
        asked_at=sequence,
        sequence=sequence,
    )
    return replace(_settled(cell, completion), locked=True)


def _restored(cell: Cell, fact: CellRestored, sequence: int) -> Cell:
    completion = Completion(
        revision=cell.revision + 1,
        attempt=0,
        at_ms=fact.at_ms,
        text=fact.text,
        input_digest=fact.input_digest,
        output_digest=fact.output_digest,
        model=fact.model,
        citations=fact.citations,
        cut=fact.cut,
        cached=True,
        by_hand=fact.by_hand,
        asked_at=sequence,
        sequence=sequence,
    )
    return replace(_settled(cell, completion), locked=fact.locked, salt=fact.salt, model=fact.chosen_model)


def _settled(cell: Cell, completion: Completion) -> Cell:
    """A text that no attempt writes. It takes a job's number, so that whatever is being written is outranked."""
    return replace(
        cell,
        state=Completed(at_ms=completion.at_ms),
        revision=completion.revision,
        input_digest=completion.input_digest,
        job=cell.job + 1,
        attempts=0,
        ink=None,
        ink_dry=cell.job + 1,
        completed=completion,
        offer=None,
        asked=False,
        asked_at=completion.sequence,
        stale=(),
    )


def _accepted(cell: Cell, fact: OfferAccepted, sequence: int) -> Cell:
    if cell.offer is None or cell.offer.revision != fact.revision:
        return cell
    taken = replace(cell.offer, sequence=sequence)
    return replace(_at_rest(cell, fact.at_ms), completed=taken, offer=None, locked=False, stale=())


def _declined(cell: Cell, fact: OfferDeclined, sequence: int) -> Cell:
    if cell.offer is None or cell.completed is None or cell.offer.revision != fact.revision:
        return cell
    kept = replace(cell.completed, input_digest=cell.offer.input_digest, asked_at=sequence)
    return replace(cell, completed=kept, offer=None, stale=())


def _at_rest(cell: Cell, at_ms: int) -> Cell:
    """A rewrite of the rewrite may be running; it goes on, and finds no lock."""
    return (
        cell
        if isinstance(cell.state, Waiting | Queued | Writing | Retrying)
        else replace(cell, state=Completed(at_ms=at_ms))
    )
