"""From what a request asks to the edits that it comes to, in a document as it is: one function a call.

Each returns the facts to append (none: it is so already), without time and author, or raises a Problem that names the field.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from schemas.cells import text_digest
from schemas.document import Cell, Document
from schemas.edit_requests import (
    CellPut,
    ColumnPut,
    DocumentPatch,
    OfferPost,
    OutlinePut,
    RewritePost,
    SectionPatch,
    SectionPost,
    SectionPut,
    UpdatePost,
)
from schemas.events import (
    CellEdited,
    CellLocked,
    CellUnlocked,
    DocumentEdited,
    OfferAccepted,
    OfferDeclined,
    OneEdit,
    OutlineEdited,
    PolicyChanged,
    RewriteAsked,
    SectionEdited,
    SourceAdded,
    SourceRemoved,
    SourceReplaced,
    UpdateAsked,
)
from schemas.outline import check_outline
from schemas.preview import behind
from schemas.standing import Standing, standings
from schemas.values import SOURCES_MAX, Citation, Column, Policy, Section, SourceGiven
from services.gateway.problems import FieldError, Problem, decoded

Edits = list[OneEdit]


def refuse(pointer: str, detail: str, status: int = 422) -> NoReturn:
    """Problem, naming a field."""
    raise Problem(status, f"{pointer}: {detail}" if pointer else detail, [FieldError(pointer, detail)])


def check_model(model: str | None, providers: Collection[str], pointer: str) -> None:
    """Problem 422 for a model whose provider nobody knows."""
    if model is not None and model.partition("/")[0] not in providers:
        refuse(pointer, f"A model is named provider/model; providers here: {', '.join(sorted(providers))}.")


# -- The document -------------------------------------------------------------------------------------------------------


def describe(document: Document, asked: DocumentPatch, providers: Collection[str]) -> Edits:
    """Title, brief, policy."""
    edits: Edits = []
    title = None if asked.title is UNSET or asked.title == document.title else asked.title
    brief = None if asked.brief is UNSET or asked.brief == document.brief else asked.brief
    if brief is not None and not brief.strip():
        refuse("/brief", "The `brief` is empty")
    if title is not None or brief is not None:
        edits.append(DocumentEdited(at_ms=0, title=title, brief=brief))
    if asked.policy is not UNSET:
        policy = _policy(document.policy, asked.policy)
        check_model(policy.model, providers, "/policy/model")
        if policy != document.policy:
            edits.append(PolicyChanged(at_ms=0, policy=policy))
    return edits


def _policy(policy: Policy, changes: dict[str, Any]) -> Policy:
    whole = msgspec.to_builtins(policy) | changes
    try:
        return decoded(msgspec.json.encode(whole), Policy)
    except Problem as problem:
        errors = [FieldError(f"/policy{error.pointer}", error.detail) for error in problem.errors]
        raise Problem(problem.status, f"/policy{problem.detail.removeprefix('The body')}", errors) from None


# -- The outline --------------------------------------------------------------------------------------------------------


def outline(document: Document, asked: OutlinePut) -> Edits:
    """The whole of it."""
    return _outlined(document, asked.sections, "")


def add_section(document: Document, asked: SectionPost) -> Edits:
    """One more."""
    if any(section.id == asked.section.id for section in document.outline):
        refuse("/section/id", f"There is a section {asked.section.id!r} already.")
    places = [section.id for section in document.outline]
    if asked.after is UNSET:
        place = len(places)
    elif asked.after is None:
        place = 0
    elif asked.after in places:
        place = places.index(asked.after) + 1
    else:
        refuse("/after", f"There is no section {asked.after!r}.")
    sections = (*document.outline[:place], asked.section, *document.outline[place:])
    return _outlined(document, sections, "/section", place)


def change_section(document: Document, id_: str, asked: SectionPatch) -> Edits:
    """Parts of one."""
    given = {name: getattr(asked, name) for name in asked.__struct_fields__ if getattr(asked, name) is not UNSET}
    return _sectioned(document, replace(_section(document, id_), **given))


def put_section(document: Document, id_: str, asked: SectionPut) -> Edits:
    """The whole of one, or one more."""
    section = msgspec.convert({"id": id_, **msgspec.to_builtins(asked)}, Section)
    if any(old.id == id_ for old in document.outline):
        return _sectioned(document, section)
    return _outlined(document, (*document.outline, section), "", len(document.outline))


def remove_section(document: Document, id_: str) -> Edits:
    """One fewer; the others do not depend on it any more."""
    _section(document, id_)
    if len(document.outline) == 1:
        refuse("", "A document keeps at least one section.", 409)
    kept = tuple(
        replace(section, depends_on=tuple(need for need in section.depends_on if need.partition(":")[0] != id_))
        for section in document.outline
        if section.id != id_
    )
    return _outlined(document, kept, "")


def put_column(document: Document, id_: str, column: str, asked: ColumnPut) -> Edits:
    """Add a question to a table, or change one."""
    section = _section(document, id_)
    new = decoded(msgspec.json.encode({"id": column, **msgspec.to_builtins(asked)}), Column)
    for number, row in enumerate(new.sample):
        if row not in document.sources:
            refuse(f"/sample/{number}", f"There is no source {row!r}.")
    if any(old.id == column for old in section.columns):
        columns = tuple(new if old.id == column else old for old in section.columns)
    else:
        columns = (*section.columns, new)
    return _sectioned(document, replace(section, columns=columns), f"/columns/{[c.id for c in columns].index(column)}")


def remove_column(document: Document, id_: str, column: str) -> Edits:
    """Remove a question from a table; no section depends on its answers any more."""
    section = _section(document, id_)
    if not any(old.id == column for old in section.columns):
        raise Problem(404, f"The section {id_!r} has no column {column!r}.")
    without = replace(section, columns=tuple(old for old in section.columns if old.id != column))
    need = f"{id_}:{column}"
    if not any(need in other.depends_on for other in document.outline):
        return _sectioned(document, without)
    sections = tuple(without if other.id == id_ else other for other in document.outline)
    return _outlined(
        document,
        tuple(replace(one, depends_on=tuple(old for old in one.depends_on if old != need)) for one in sections),
        "",
    )


def _section(document: Document, id_: str) -> Section:
    for section in document.outline:
        if section.id == id_:
            return section
    raise Problem(404, f"There is no section {id_!r}.")


def _sectioned(document: Document, section: Section, here: str = "") -> Edits:
    sections = tuple(section if old.id == section.id else old for old in document.outline)
    _check(sections, here, [old.id for old in document.outline].index(section.id))
    return [] if sections == document.outline else [SectionEdited(at_ms=0, section=section)]


def _outlined(document: Document, sections: tuple[Section, ...], here: str, place: int | None = None) -> Edits:
    _check(sections, here, place)
    return [] if sections == document.outline else [OutlineEdited(at_ms=0, sections=sections)]


def _check(sections: Sequence[Section], here: str, place: int | None) -> None:
    """`here` is where in the body the section at `place` stands."""
    errors: list[FieldError] = []
    for problem in check_outline(sections):
        of_one = f"sections/{place}/"
        where = problem.where.removeprefix(of_one)
        pointer = f"/{problem.where}"
        if place is not None and where != problem.where:
            # Of a column that was sent by itself, the way through the section is the path, not the body.
            pointer = f"/{where}".removeprefix(here) if here.startswith("/columns") else f"{here}/{where}"
        errors.append(FieldError(pointer, problem.message))
    if errors:
        raise Problem(422, f"{errors[0].pointer}: {errors[0].detail}", errors)


# -- Cells --------------------------------------------------------------------------------------------------------------


def write_cell(document: Document, id_: str, asked: CellPut, citations: tuple[Citation, ...]) -> Edits:
    """Text by hand."""
    standing = _standing(document, id_)
    cell = standing.cell
    if not asked.text.strip():
        refuse("/text", "There is no text.")
    if cell.locked and cell.completed is not None and cell.completed.text == asked.text:
        return []
    name = standing.digest or (cell.completed.input_digest if cell.completed is not None else "")
    return [
        CellEdited(
            at_ms=0,
            cell=id_,
            text=asked.text,
            input_digest=name,
            output_digest=text_digest(asked.text),
            citations=citations,
        )
    ]


def rewrite(document: Document, id_: str, asked: RewritePost, salt: str, providers: Collection[str]) -> Edits:
    """Once more, with whatever model."""
    _standing(document, id_)
    check_model(asked.model, providers, "/model")
    return [RewriteAsked(at_ms=0, cell=id_, salt=salt, model=asked.model)]


def accept(document: Document, id_: str, asked: OfferPost) -> Edits:
    """The rewrite that is offered."""
    return [OfferAccepted(at_ms=0, cell=id_, revision=_offered(document, id_, asked))]


def decline(document: Document, id_: str, asked: OfferPost) -> Edits:
    """Keep the text."""
    return [OfferDeclined(at_ms=0, cell=id_, revision=_offered(document, id_, asked))]


def lock(document: Document, id_: str) -> Edits:
    """Keep the text, whatever happens."""
    cell = _standing(document, id_).cell
    if cell.completed is None:
        raise Problem(409, "There is no text yet that could be locked.")
    return [] if cell.locked else [CellLocked(at_ms=0, cell=id_)]


def unlock(document: Document, id_: str) -> Edits:
    """Follow the inputs again."""
    cell = _standing(document, id_).cell
    return [CellUnlocked(at_ms=0, cell=id_)] if cell.locked else []


def update(document: Document, asked: UpdatePost) -> Edits:
    """Bring up to date what is not."""
    due = behind(document)
    if asked.cells is not None:
        found = standings(document)
        for number, id_ in enumerate(asked.cells):
            if id_ not in found:
                refuse(f"/cells/{number}", f"There is no cell {id_!r}.")
        # A locked cell that is stale may be named: a rewrite is offered for it.
        due = tuple(id_ for id_ in asked.cells if id_ in due or found[id_].is_stale)
    due = tuple(id_ for id_ in due if not document.cells.get(id_, Cell(id=id_)).asked)
    return [UpdateAsked(at_ms=0, cells=due)] if due else []


def _standing(document: Document, id_: str) -> Standing:
    standing = standings(document).get(id_)
    if standing is None:
        raise Problem(404, f"There is no cell {id_!r}.")
    return standing


def _offered(document: Document, id_: str, asked: OfferPost) -> int:
    offer = _standing(document, id_).cell.offer
    if offer is None:
        raise Problem(409, "No rewrite is offered for this cell.")
    if asked.revision not in {None, offer.revision}:
        refuse("/revision", f"The rewrite that is offered is revision {offer.revision}.", 409)
    return offer.revision


# -- Sources ------------------------------------------------------------------------------------------------------------


def add_source(document: Document, given: SourceGiven, before: str | None) -> Edits:
    """One more."""
    if len(document.sources) >= SOURCES_MAX:
        refuse("", f"A document may have {SOURCES_MAX} sources.")
    if before is not None and before not in document.sources:
        refuse("/before", f"There is no source {before!r}.")
    return [SourceAdded(at_ms=0, source=given, before=before)]


def replace_source(document: Document, given: SourceGiven) -> Edits:
    """Other bytes, or another name."""
    source = document.sources.get(given.id)
    if source is None:
        raise Problem(404, f"There is no source {given.id!r}.")
    now = source.given
    same = (now.digest, now.name, now.media_type) == (given.digest, given.name, given.media_type)
    return [] if same else [SourceReplaced(at_ms=0, source=given)]


def remove_source(document: Document, id_: str) -> Edits:
    """One fewer."""
    if id_ not in document.sources:
        raise Problem(404, f"There is no source {id_!r}.")
    return [SourceRemoved(at_ms=0, source=id_)]
