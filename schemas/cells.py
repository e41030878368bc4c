"""Which cells an outline has, and what each depends on. Pure. What names a revision of one: `schemas/standing.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from schemas.document import Cell, Document, Failed
from schemas.events import PLAN_CELL
from schemas.values import Column, Section


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A cell as the outline asks for it."""

    id: str
    section: Section
    row: str | None = None
    """The source it is about, in a table."""
    column: Column | None = None
    depends_on: tuple[str, ...] = ()
    """Cell ids."""


class Parent(NamedTuple):
    """What a section is written from: another one, or one column of it."""

    section: Section
    column: Column | None = None

    @property
    def need(self) -> str:
        """As `Section.depends_on` has it."""
        return self.section.id if self.column is None else f"{self.section.id}:{self.column.id}"


def parent_ids(section: Section) -> tuple[str, ...]:
    """The ids of the sections that it is written from, wholly or in part, each once."""
    return tuple(dict.fromkeys(need.partition(":")[0] for need in section.depends_on))


def parents_of(section: Section, by_id: Mapping[str, Section]) -> Iterator[Parent]:
    """What a section is written from, of what the outline has."""
    for need in section.depends_on:
        id_, _, name = need.partition(":")
        parent = by_id.get(id_)
        column = next((one for one in parent.columns if one.id == name), None) if parent is not None else None
        if parent is not None and (not name or column is not None):
            yield Parent(parent, column)


def cells_of_parent(parent: Parent, sources: Iterable[str]) -> tuple[str, ...]:
    """The ids of the cells that a section is written from."""
    section, column = parent
    if column is None:
        return cells_of_section(section, sources)
    return tuple(cell_id(section.id, row, column.id) for row in sources if is_asked(column, row))


def handed_on(cell: Cell) -> str | None:
    """The text that those are told which are written from this cell; None where it is missing."""
    is_kept = cell.locked and cell.completed is not None
    if cell.completed is None or (isinstance(cell.state, Failed) and not is_kept):
        return None
    return cell.completed.text


def cell_id(section: str, row: str | None = None, column: str | None = None) -> str:
    """A prose section's cell has the section's id; a table's cells are `section:source:column`."""
    return section if row is None or column is None else f"{section}:{row}:{column}"


def cells_of_section(section: Section, sources: Iterable[str]) -> tuple[str, ...]:
    """The ids of a section's cells, rows before columns."""
    if not section.columns:
        return (section.id,)
    return tuple(
        cell_id(section.id, row, column.id) for row in sources for column in section.columns if is_asked(column, row)
    )


def is_asked(column: Column, row: str) -> bool:
    """Whether a column's question is asked of this source: of all, unless it is being tried on a sample."""
    return not column.sample or row in column.sample


def wanted_cells(outline: tuple[Section, ...], sources: Iterable[str]) -> dict[str, Wanted]:
    """Every cell of an outline, in reading order."""
    rows = tuple(sources)
    by_id = {section.id: section for section in outline}
    wanted: dict[str, Wanted] = {}
    for section in outline:
        # A column that is named beside its table says nothing more.
        depends_on = tuple(
            dict.fromkeys(cell for parent in parents_of(section, by_id) for cell in cells_of_parent(parent, rows))
        )
        if not section.columns:
            wanted[section.id] = Wanted(id=section.id, section=section, depends_on=depends_on)
            continue
        for row in rows:
            for column in section.columns:
                if not is_asked(column, row):
                    continue
                id_ = cell_id(section.id, row, column.id)
                wanted[id_] = Wanted(id=id_, section=section, row=row, column=column, depends_on=depends_on)
    return wanted


def digest(value: object) -> str:
    """SHA-256, hexadecimal, of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def text_digest(text: str) -> str:
    """SHA-256, hexadecimal, of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def plan_digest(document: Document) -> str:
    """The name of the outline that a document should have, when the planner makes it."""
    sources = sorted((id_, source.digest or "") for id_, source in document.sources.items())
    return digest([PLAN_CELL, document.title, document.brief, document.policy.model, sources])


def text_of(cells: Mapping[str, Cell], id_: str) -> str:
    """What a reader sees of a cell: the running attempt's text once it has some, else the last finished revision's.

    A locked cell's text stays; what is written anew for it stands beside it.
    """
    cell = cells.get(id_)
    if cell is None:
        return ""
    is_kept = cell.locked and cell.completed is not None
    if cell.ink is not None and cell.ink.text and not is_kept:
        return cell.ink.text
    return cell.completed.text if cell.completed is not None else ""
