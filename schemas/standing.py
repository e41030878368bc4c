"""How each cell stands to what is wanted of it: the name of its revision, whether it is written, and why not. Pure.

A revision is named by its *input digest*, which covers all that reaches the model: brief, the cell's own question, the model chosen,
the sources that it is written from, and the *outputs* of the cells that it depends on. So an edit makes exactly those cells stale whose
prompt it changes, and equal output stops the wave of rewriting. A cell has no digest while one that it depends on is to be written:
it waits, and is written once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import cast

import msgspec
from msgspec.structs import replace

from schemas.cells import (
    Parent,
    Wanted,
    cells_of_parent,
    cells_of_section,
    digest,
    parent_ids,
    parents_of,
    plan_digest,
    wanted_cells,
)
from schemas.document import (
    Abandoned,
    Cell,
    Document,
    Done,
    Failed,
    Paused,
    Queued,
    Retrying,
    Running,
    Source,
    Writing,
    is_stopped_alone,
)
from schemas.events import PLAN_CELL
from schemas.values import Reason, ReasonKind, Section

IN_FLIGHT = (Queued, Writing, Retrying)
PLANS_KEPT_MAX = 32
"""Documents whose plan is kept by a process, in case they are looked at again."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One wanted cell."""

    wanted: Wanted
    cell: Cell
    digest: str | None
    """The revision that it should have; None while something that it is written from is not there."""
    own: str
    """The part of it that does not depend on other cells."""
    in_flight: bool
    """Its job is on the queue, or somebody writes it."""
    is_over: bool
    """Written, given up or stopped by itself, as it is wanted; or locked."""
    may_write: bool
    """Nobody has to ask for it first."""
    is_stale: bool
    """It has a text, of other inputs than these, and nobody is writing it."""


def standings(document: Document) -> dict[str, Standing]:
    """Every cell that the outline wants, in reading order. ValueError for an outline that goes in circles."""
    plan = _plan(_Asked(document))
    built = _Built(document, plan)
    found: dict[str, Standing] = {}
    for section in plan.parents_first:
        built_on = built.on(plan.parents[section.id], found)
        found |= plan.standings(document, section, built_on)
    return {id_: found[id_] for id_ in plan.wanted}


def wanted_cell(document: Document, id_: str) -> Wanted | None:
    """One cell as the outline asks for it; None: it does not (any more)."""
    return _plan(_Asked(document)).wanted.get(id_)


def outdated(document: Document, cell: Cell) -> bool:
    """Whether a cell's newest job is for other inputs than are wanted now. Only an edit can make it so."""
    if document.version <= cell.asked_at:
        return False
    if cell.id == PLAN_CELL:
        return bool(document.outline) or plan_digest(document) != cell.input_digest
    standing = standings(document).get(cell.id)
    return standing is None or standing.digest != cell.input_digest


def is_settled(document: Document) -> bool:
    """Whether nothing will be written before somebody asks for it.

    Not so in the moment between an edit and its first job; nor where nobody was there to watch: whoever looks brings it back.
    """
    match document.run:
        case Running() | Paused(reason="last_viewer_left"):
            return False
        case Done() | Abandoned() if document.version > document.rested and not document.outline:
            plan = document.cells.get(PLAN_CELL)
            return plan is not None and plan.input_digest == plan_digest(document)
        case Done() | Abandoned() if document.version > document.rested:
            return all(one.is_over or not one.may_write for one in standings(document).values())
        case _:
            return True


def _standing(document: Document, wanted: Wanted, cell: Cell, own: str, name: str | None) -> Standing:
    in_flight = isinstance(cell.state, IN_FLIGHT)
    has_text = cell.completed is not None
    is_first = document.drafting and not has_text
    may_write = document.policy.updates == "auto" or cell.asked or in_flight or is_first
    is_over = _is_over(cell, name)
    settled = in_flight or isinstance(cell.state, Failed)
    return Standing(
        wanted=wanted,
        cell=cell,
        digest=name,
        own=own,
        in_flight=in_flight,
        is_over=is_over,
        may_write=may_write,
        is_stale=not settled and name is not None and _is_stale(cell, name),
    )


def _is_over(cell: Cell, name: str | None) -> bool:
    if cell.locked and cell.completed is not None:
        return not cell.asked  # What is asked for is a rewrite to stand beside it.
    if isinstance(cell.state, Failed):
        return name is not None and cell.input_digest == name
    if is_stopped_alone(cell) and not cell.asked and name is not None and cell.input_digest == name:
        return True
    # Whatever it is doing: a text that is there already needs nobody to write it.
    return cell.completed is not None and cell.completed.input_digest == name and not cell.completed.by_hand


def _is_stale(cell: Cell, name: str) -> bool:
    if cell.completed is None or (cell.offer is not None and cell.offer.input_digest == name):
        return False
    return cell.completed.input_digest != name or (cell.completed.by_hand and not cell.locked)


def _output(standing: Standing) -> str | None:
    """What a cell hands on to those that are written from it; None while that is not known."""
    cell = standing.cell
    if cell.completed is not None and cell.locked:
        return cell.completed.output_digest
    if not standing.is_over and standing.may_write:
        return None
    if isinstance(cell.state, Failed) or cell.completed is None:
        return digest(["missing"])  # That is all that a prompt says of it.
    return cell.completed.output_digest


class _Asked:
    """What of a document decides which cells it has and what each is asked, whatever has been written.

    Edits and what is read of sources change it. Facts about cells leave these very objects in their places.
    """

    def __init__(self, document: Document) -> None:
        self.outline, self.sources = document.outline, document.sources
        self.brief, self.model = document.brief, document.policy.model

    def __hash__(self) -> int:
        return hash((id(self.outline), id(self.sources), self.brief, self.model))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Asked)
            and self.outline is other.outline
            and self.sources is other.sources
            and (self.brief, self.model) == (other.brief, other.model)
        )


class _Plan:
    """All that follows from what is asked, each part worked out once: thousands of cells are looked at after every fact."""

    def __init__(self, asked: _Asked) -> None:
        self.asked = asked
        self.wanted = wanted_cells(asked.outline, asked.sources)
        by_id = {section.id: section for section in asked.outline}
        order = TopologicalSorter({id_: [p for p in parent_ids(one) if p in by_id] for id_, one in by_id.items()})
        self.parents_first = tuple(by_id[id_] for id_ in order.static_order())
        self.cells = {id_: cells_of_section(section, asked.sources) for id_, section in by_id.items()}
        self.parents = {
            # A table without rows says nothing.
            id_: tuple(
                (parent, cells)
                for parent in parents_of(one, by_id)
                if (cells := cells_of_parent(parent, asked.sources))
            )
            for id_, one in by_id.items()
        }
        self._sources = {id_: _source(id_, source) for id_, source in asked.sources.items()}
        unread = None in self._sources.values()
        self._all_sources = None if unread else digest(list(self._sources.values()))
        self._blank = {id_: Cell(id=id_) for id_ in self.wanted}
        self._own: dict[str, tuple[str | None, str, str, bool]] = {}
        """By cell: for which model and salt, and what came of it."""
        self._found: dict[str, tuple[Cell, tuple[object, ...], Standing]] = {}
        """By cell: as it was when it was last looked at, in what circumstances, and how it stood."""

    def standings(
        self, document: Document, section: Section, built_on: tuple[str, ...] | None
    ) -> Iterator[tuple[str, Standing]]:
        """A section's cells. Most are what they were, and so stand as they stood."""
        cells, circumstances = document.cells, (document.policy.updates, document.drafting, built_on)
        for id_ in self.cells[section.id]:
            cell = cells.get(id_) or self._blank[id_]
            known = self._found.get(id_)
            if known is None or known[0] is not cell or known[1] != circumstances:
                own, is_read = self._own_of(id_, cell)
                name = None if built_on is None or not is_read else digest([own, built_on])
                standing = _standing(document, self.wanted[id_], cell, own, name)
                known = self._found[id_] = (cell, circumstances, standing)
            yield id_, known[2]

    def _own_of(self, id_: str, cell: Cell) -> tuple[str, bool]:
        """What a cell is written from beside other cells; and whether all of its sources have been read."""
        model = cell.model or self.asked.model
        known = self._own.get(id_)
        if known is not None and known[0] == model and known[1] == cell.salt:
            return known[2], known[3]
        wanted = self.wanted[id_]
        sources = self._all_sources if wanted.row is None else self._sources[wanted.row]
        column = None if wanted.column is None else replace(wanted.column, sample=())
        parts = [
            [self.asked.brief, model, cell.salt],
            [wanted.section.heading, wanted.section.instructions, column],
            sources,
        ]
        own, is_read = digest(parts), sources is not None
        self._own[id_] = (model, cell.salt, own, is_read)
        return own, is_read


_plan = lru_cache(maxsize=PLANS_KEPT_MAX)(_Plan)


class _Built:
    """What a document's sections are built on, each part digested once."""

    def __init__(self, document: Document, plan: _Plan) -> None:
        self._document = document
        self._plan = plan
        self._outputs: dict[str, str | None] = {}
        """By need."""

    def on(
        self, parents: tuple[tuple[Parent, tuple[str, ...]], ...], found: Mapping[str, Standing]
    ) -> tuple[str, ...] | None:
        """The outputs of these, with what they are called; None while one is not known."""
        known: list[str] = []
        for parent, cells in parents:
            if parent.need not in self._outputs:
                self._outputs[parent.need] = self._output(parent, cells, found)
            output = self._outputs[parent.need]
            if output is None:
                return None
            known.append(output)
        return tuple(known)

    def _output(self, parent: Parent, cells: tuple[str, ...], found: Mapping[str, Standing]) -> str | None:
        outputs: list[tuple[str, str, str]] = []
        for id_ in cells:
            output = _output(found[id_])
            if output is None:
                return None
            row, column = found[id_].wanted.row, found[id_].wanted.column
            name = "" if row is None else self._document.sources[row].given.name
            outputs.append((name, "" if column is None else column.heading, output))
        # What a column is summed up by is told, too: the same answers as numbers come to other sums than as words.
        asked = parent.section.columns if parent.column is None else (parent.column,)
        forms = [(column.heading, column.format, column.options) for column in asked if column.format != "text"]
        return digest([parent.need, parent.section.heading, outputs, *forms])


def _source(id_: str, source: Source) -> str | None:
    """None while it is being read."""
    if source.digest is None and source.failure is None:
        return None
    return digest([id_, source.given.name, source.digest or ""])


# -- Why ----------------------------------------------------------------------------------------------------------------


class Why:
    """What changed since a stale cell's text was asked for, of all that it is written from."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._sources: dict[str, list[str]] = {}
        """Keys of `Document.edited`, by source."""
        for key in document.edited:
            if key.startswith("source_"):
                self._sources.setdefault(key.partition(":")[2], []).append(key)

    def stale(self, standing: Standing) -> tuple[Reason, ...]:
        """In no order of importance; never empty."""
        completed = standing.cell.completed
        return self.since(standing, 0 if completed is None else completed.asked_at) or (Reason(kind="inputs"),)

    def since(self, standing: Standing, since: int) -> tuple[Reason, ...]:
        """What changed after a sequence."""
        edited = self._document.edited
        found = [_reason(key) for key in self._keys(standing) if edited.get(key, 0) > since]
        found += [Reason(kind="section", what=parent) for parent in self._rewritten(standing.wanted, since)]
        return tuple(found)

    def _keys(self, standing: Standing) -> Iterator[str]:
        wanted, section = standing.wanted, standing.wanted.section
        yield from ("brief", f"heading:{section.id}", f"instructions:{section.id}", f"depends_on:{section.id}")
        if wanted.column is not None:
            yield f"column:{section.id}:{wanted.column.id}"
        if standing.cell.model is None:
            yield "model"
        rows = self._sources if wanted.row is None else (wanted.row,)
        for row in rows:
            yield from self._sources.get(row, ())
        for parent in parent_ids(section):
            yield f"heading:{parent}"
        yield from (f"rewrite:{wanted.id}", f"unlocked:{wanted.id}")

    def _rewritten(self, wanted: Wanted, since: int) -> list[str]:
        """The sections it depends on that have another text since."""
        cells = (self._document.cells.get(id_) for id_ in wanted.depends_on)
        later = (c.id for c in cells if c is not None and c.completed is not None and c.completed.sequence > since)
        return list(dict.fromkeys(id_.partition(":")[0] for id_ in later))


def _reason(key: str) -> Reason:
    kind, _, what = key.partition(":")
    return Reason(kind=cast("ReasonKind", kind), what=what)
