"""What makes an outline one that can be written: pure, for the gateway (given by a reader) and the planner (by a model).

Shapes and lengths are the Structs' own business (`schemas/values.py`); this is what no single section can know of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

import msgspec

from schemas.cells import parent_ids
from schemas.events import PLAN_CELL
from schemas.values import COLUMNS_MAX, SECTIONS_MAX, Section


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where."""

    where: str
    """Path from the outline's root, as in `sections/2/depends_on/0`."""
    message: str
    """One plain sentence."""


def check_outline(sections: Sequence[Section]) -> list[Problem]:
    """Everything that keeps this outline from being written; empty: nothing does."""
    if not sections:
        return [Problem("sections", "An outline needs at least one section.")]
    if len(sections) > SECTIONS_MAX:
        return [Problem("sections", f"An outline may have {SECTIONS_MAX} sections, not {len(sections)}.")]
    problems: list[Problem] = []
    known = {need for section in sections for need in (section.id, *(f"{section.id}:{c.id}" for c in section.columns))}
    seen: set[str] = set()
    for number, section in enumerate(sections):
        here = f"sections/{number}"
        if section.id in seen:
            problems.append(Problem(f"{here}/id", f"Two sections have the id {section.id!r}."))
        if section.id == PLAN_CELL:
            problems.append(Problem(f"{here}/id", f"The id {PLAN_CELL!r} is taken by the outline itself."))
        seen.add(section.id)
        problems += [
            Problem(
                f"{here}/depends_on/{place}",
                f"Section {section.id!r} depends on {need!r}, which is no {'column' if ':' in need else 'section'}.",
            )
            for place, need in enumerate(section.depends_on)
            if need not in known
        ]
        problems += _columns(section, here)
    return problems or _cycle(sections)


def _columns(section: Section, here: str) -> list[Problem]:
    problems: list[Problem] = []
    if len(section.columns) > COLUMNS_MAX:
        problems.append(
            Problem(f"{here}/columns", f"A table may have {COLUMNS_MAX} columns, not {len(section.columns)}.")
        )
    seen: set[str] = set()
    for number, column in enumerate(section.columns):
        if column.id in seen:
            problems.append(
                Problem(f"{here}/columns/{number}/id", f"Two columns of {section.id!r} have the id {column.id!r}.")
            )
        seen.add(column.id)
        if (column.format == "one_of") != bool(column.options):
            problems.append(
                Problem(f"{here}/columns/{number}/options", "Options belong to the format 'one_of', which needs them.")
            )
    return problems


def _cycle(sections: Sequence[Section]) -> list[Problem]:
    """Needs ids to be unique and dependencies to be known."""
    sorter = TopologicalSorter({section.id: parent_ids(section) for section in sections})
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib lists each node before one that depends on it; read backwards, each needs the next.
        cycle: list[str] = error.args[1][::-1]
        number = next(n for n, section in enumerate(sections) if section.id in cycle)
        start = cycle.index(sections[number].id)
        # Begin with the section that a reader meets first.
        around = [*cycle[start:-1], *cycle[:start], cycle[start]]
        return [
            Problem(
                f"sections/{number}/depends_on", f"Sections depend on each other in a circle: {' → '.join(around)}."
            )
        ]
    return []
