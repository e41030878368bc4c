"""Which cells an edit touches, and why each: before it is made, and in the history. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from schemas.document import Document
from schemas.standing import Standing, Why, standings
from schemas.values import Reason


class TouchedCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that is to be written because of an edit."""

    cell: str
    section: str
    certain: bool
    """Its own inputs change; else it is written from a cell that is written anew, and is spared if that comes out the same."""
    reasons: tuple[Reason, ...]


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What an edit touches, in reading order."""

    cells: tuple[TouchedCell, ...] = ()
    kept: tuple[TouchedCell, ...] = ()
    """Locked: they stay, and are marked."""
    waits: bool = False
    """None of it is written before an update is asked for."""


def touched(before: Document, after: Document) -> Touched:
    """What an edit touches that made `after` of `before`."""
    waits = before.policy.updates == after.policy.updates == "manual"
    asked = any(cell.asked and not _asked(before, id_) for id_, cell in after.cells.items())
    if waits and not asked:
        before, after = _by_itself(before), _by_itself(after)
    was, now, why = standings(before), standings(after), Why(after)
    needed = {id_ for id_, one in now.items() if _is_new(was.get(id_), one)}
    cells: list[TouchedCell] = []
    kept: list[TouchedCell] = []
    for id_, one in now.items():
        if id_ in needed:
            cells.append(_touched(was.get(id_), one, why, before.version, needed))
        elif one.is_stale and one.is_over and not (id_ in was and was[id_].is_stale):
            kept.append(_touched(was.get(id_), one, why, before.version, needed))
    return Touched(cells=tuple(cells), kept=tuple(kept), waits=waits and not asked)


def behind(document: Document) -> tuple[str, ...]:
    """Cells that are not up to date, and those that may not be once the former are: in reading order."""
    found = standings(_by_itself(document))
    return tuple(id_ for id_, one in found.items() if not one.is_over)


def _by_itself(document: Document) -> Document:
    return replace(document, policy=replace(document.policy, updates="auto"))


def _asked(document: Document, id_: str) -> bool:
    return id_ in document.cells and document.cells[id_].asked


def _is_new(was: Standing | None, now: Standing) -> bool:
    """Whether a cell is to be written now, and was not before, or not like this."""
    if now.is_over or not now.may_write:
        return False
    if was is None or was.is_over or not was.may_write:
        return True
    return was.own != now.own or (now.digest is not None and was.digest != now.digest)


def _touched(was: Standing | None, now: Standing, why: Why, since: int, needed: set[str]) -> TouchedCell:
    wanted = now.wanted
    certain = was is None or was.own != now.own or now.digest is not None
    reasons = why.since(now, since)
    if now.digest is None:
        rewritten = dict.fromkeys(id_.partition(":")[0] for id_ in wanted.depends_on if id_ in needed)
        reasons += tuple(Reason(kind="section", what=parent) for parent in rewritten)
    if not reasons:
        reasons = (Reason(kind="new", what=wanted.section.id),) if now.cell.completed is None else why.stale(now)
    return TouchedCell(
        cell=wanted.id, section=wanted.section.id, certain=certain, reasons=tuple(dict.fromkeys(reasons))
    )
