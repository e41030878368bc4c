"""A document's past: what was edited and what that touched, what differs between two moments, what leads back to one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.cells import wanted_cells
from schemas.document import Cell, Document
from schemas.edit_requests import Change, Comparison, Difference
from schemas.events import (
    AnyEdit,
    AnyFact,
    CellRestored,
    DocumentCreated,
    DocumentEdited,
    DocumentRestored,
    Edit,
    OneEdit,
    OutlineEdited,
    PolicyChanged,
    SectionEdited,
    SourceAdded,
    SourceRemoved,
    SourceReplaced,
    UpdateAsked,
)
from schemas.fold import created, fold
from schemas.preview import touched


class Written(NamedTuple):
    """A fact, and where it stands."""

    sequence: int
    fact: AnyFact


class Log(NamedTuple):
    """What can be read of a document's past."""

    base: Document | None
    """As it was before the first of `facts`, where what was before that was removed."""
    facts: Sequence[Written]

    @property
    def earliest(self) -> int | None:
        """The first moment that can be read; None where there is nothing."""
        if self.base is not None:
            return self.base.sequence
        return self.facts[0].sequence if self.facts else None

    @property
    def latest(self) -> int:
        """The last one."""
        if self.facts:
            return self.facts[-1].sequence
        return 0 if self.base is None else self.base.sequence


def moment(id_: str, log: Log, at: int | None = None) -> Document | None:
    """The document as it was when its log ended at `at`; None before what can be read."""
    document = log.base
    if document is not None and at is not None and at < document.sequence:
        return None
    for sequence, fact in log.facts:
        if at is not None and sequence > at:
            break
        document = created(id_, fact, sequence) if document is None else fold(document, fact, sequence)
    return document


def changes(id_: str, log: Log, after: int = 0) -> list[Change]:
    """Every edit beyond a sequence, newest first, with the cells that it gave cause to write."""
    document = log.base
    found: list[Change] = []
    for sequence, fact in log.facts:
        before = document
        document = created(id_, fact, sequence) if document is None else fold(document, fact, sequence)
        if sequence <= after:
            continue
        if isinstance(fact, DocumentCreated):
            found.append(
                _change(sequence, fact, ("title", "brief"), tuple(wanted_cells(document.outline, document.sources)))
            )
        elif isinstance(fact, Edit) and before is not None:
            cells = tuple(one.cell for one in touched(before, document).cells)
            found.append(_change(sequence, fact, what(fact), cells))
    return found[::-1]


def _change(sequence: int, fact: DocumentCreated | Edit, about: tuple[str, ...], cells: tuple[str, ...]) -> Change:
    by = fact if isinstance(fact, Edit) else None
    return Change(
        sequence=sequence,
        at_ms=fact.at_ms,
        type=type(fact).__name__,
        cause="reader" if by is None else by.cause,
        who="" if by is None else by.who,
        what=about,
        cells=cells,
        estimate=fact.estimate,
    )


def what(fact: AnyEdit) -> tuple[str, ...]:
    """What an edit is about."""
    match fact:
        case DocumentEdited(title=title, brief=brief):
            return (*(("title",) if title is not None else ()), *(("brief",) if brief is not None else ()))
        case PolicyChanged():
            return ("policy",)
        case OutlineEdited():
            return ("outline",)
        case SectionEdited(section=section):
            return (section.id,)
        case UpdateAsked(cells=cells):
            return cells
        case SourceAdded(source=given) | SourceReplaced(source=given):
            return (given.id,)
        case SourceRemoved(source=id_):
            return (id_,)
        case DocumentRestored(to=to):
            return (str(to),)
        case _:
            return (fact.cell,)


def compare(before: Document, after: Document) -> Comparison:
    """What differs, in the reading order of the later one."""
    was = {section.id: section for section in before.outline}
    now = {section.id: section for section in after.outline}
    cells = wanted_cells(before.outline, before.sources)
    later = wanted_cells(after.outline, after.sources)
    differences: list[Difference] = []
    for id_ in dict.fromkeys((*later, *cells)):
        old, new = _text(before, id_, id_ in cells), _text(after, id_, id_ in later)
        if old != new:
            differences.append(Difference(cell=id_, section=id_.partition(":")[0], before=old, after=new))
    fields = ("title", "brief", "policy", "outline")
    names = [name for name in fields if getattr(before, name) != getattr(after, name)]
    old_sources, new_sources = before.sources, after.sources
    replaced = tuple(
        id_
        for id_ in new_sources
        if id_ in old_sources and new_sources[id_].given.digest != old_sources[id_].given.digest
    )
    if replaced or old_sources.keys() != new_sources.keys():
        names.append("sources")
    return Comparison(
        from_sequence=before.sequence,
        to_sequence=after.sequence,
        fields=tuple(names),
        sections_added=tuple(id_ for id_ in now if id_ not in was),
        sections_removed=tuple(id_ for id_ in was if id_ not in now),
        sections_changed=tuple(id_ for id_ in now if id_ in was and now[id_] != was[id_]),
        sources_added=tuple(id_ for id_ in new_sources if id_ not in old_sources),
        sources_removed=tuple(id_ for id_ in old_sources if id_ not in new_sources),
        sources_replaced=replaced,
        cells=tuple(differences),
    )


def _text(document: Document, id_: str, is_wanted: bool) -> str | None:
    cell = document.cells.get(id_)
    return cell.completed.text if is_wanted and cell is not None and cell.completed is not None else None


def restoring(now: Document, then: Document) -> list[OneEdit]:
    """The edits that make a document what it was: its inputs, and the texts that it had, from the log.

    Of the policy only the model comes back: what may be spent, and what happens when nobody watches, is decided for now.
    """
    edits: list[OneEdit] = []
    if (now.title, now.brief) != (then.title, then.brief):
        edits.append(DocumentEdited(at_ms=0, title=then.title, brief=then.brief))
    if now.policy.model != then.policy.model:
        edits.append(PolicyChanged(at_ms=0, policy=replace(now.policy, model=then.policy.model)))
    if now.outline != then.outline:
        edits.append(OutlineEdited(at_ms=0, sections=then.outline))
    edits += _sources(now, then)
    for id_ in wanted_cells(then.outline, then.sources):
        cell = then.cells.get(id_)
        if cell is not None and cell.completed is not None and not _is_the_same(now.cells.get(id_), cell):
            edits.append(_restored(cell))
    return edits


def _sources(now: Document, then: Document) -> list[OneEdit]:
    edits: list[OneEdit] = [SourceRemoved(at_ms=0, source=id_) for id_ in now.sources if id_ not in then.sources]
    order = list(then.sources)
    for place in reversed(range(len(order))):
        id_ = order[place]
        given = then.sources[id_].given
        if id_ not in now.sources:
            edits.append(
                SourceAdded(at_ms=0, source=given, before=order[place + 1] if place + 1 < len(order) else None)
            )
        elif now.sources[id_].given != given:
            edits.append(SourceReplaced(at_ms=0, source=given))
    return edits


def _is_the_same(now: Cell | None, then: Cell) -> bool:
    if now is None or now.completed is None or then.completed is None:
        return False
    return _identity(now) == _identity(then)


def _identity(cell: Cell) -> tuple[object, ...]:
    done = cell.completed
    assert done is not None  # noqa: S101 -- asked of cells that have a text
    return (done.text, done.input_digest, done.by_hand, cell.locked, cell.salt, cell.model)


def _restored(cell: Cell) -> CellRestored:
    done = cell.completed
    assert done is not None  # noqa: S101 -- asked of cells that have a text
    return CellRestored(
        at_ms=0,
        cell=cell.id,
        text=done.text,
        input_digest=done.input_digest,
        output_digest=done.output_digest,
        model=done.model,
        citations=done.citations,
        cut=done.cut,
        by_hand=done.by_hand,
        locked=cell.locked,
        salt=cell.salt,
        chosen_model=cell.model,
    )
