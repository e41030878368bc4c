"""What writing some cells will come to: calls, tokens, money, time. Pure, and the one answer to that question.

Where a document has written cells of the same kind, they are the measure; else a few figures of what such cells usually take. How far
off it was is in the document's `reckoning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean

import msgspec

from schemas.cells import Wanted, cells_of_section, parent_ids, wanted_cells
from schemas.document import Cell, Completion, Document
from schemas.values import Estimate, Section

CHARACTERS_PER_TOKEN = 4
RULES_TOKENS = 260
PASSAGE_CHARACTERS = 700
"""Of a source that has not been read."""
OUTLINE_SECTIONS = 6
"""That a planner makes, where there is no outline."""


class Usual(msgspec.Struct, frozen=True):
    """What a cell takes that none of its kind has shown yet."""

    tokens_out: int
    duration_ms: int


PROSE, ANSWER = Usual(350, 8_000), Usual(45, 2_500)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say."""

    models: tuple[str, ...] = ()
    """The chain for writing."""
    prices: Mapping[str, tuple[float, float]] = {}
    """US dollars per million tokens, in and out."""
    passages_max: int = 12
    parallel: int = 16
    """Cells that are written at the same time."""


class _Guess(msgspec.Struct, frozen=True):
    tokens_in: float
    tokens_out: float
    cost: float
    duration_ms: float


def estimate(document: Document, cells: Iterable[str], figures: Figures) -> Estimate:
    """What these cells will come to. Ids that the outline does not have count for nothing."""
    wanted = wanted_cells(document.outline, document.sources)
    ids = [id_ for id_ in cells if id_ in wanted]
    guessing = _Guessing(document, figures)
    guesses = {id_: guessing.of(wanted[id_]) for id_ in ids}
    return Estimate(
        cells=len(ids),
        calls=len(ids),
        tokens_in=round(sum(guess.tokens_in for guess in guesses.values())),
        tokens_out=round(sum(guess.tokens_out for guess in guesses.values())),
        cost=round(sum(guess.cost for guess in guesses.values()), 6),
        duration_ms=round(_duration_ms(document.outline, guesses, wanted, figures.parallel)),
    )


def unplanned() -> tuple[Section, ...]:
    """What stands for an outline where the planner has yet to make one."""
    parts = tuple(Section(id=f"part-{n}", heading=f"Part {n}") for n in range(1, OUTLINE_SECTIONS))
    return (*parts, Section(id="summary", heading="Summary", depends_on=tuple(part.id for part in parts)))


class _Guessing:
    def __init__(self, document: Document, figures: Figures) -> None:
        self._document = document
        self._figures = figures
        self._shown: dict[str, list[Completion]] = {}
        for cell in document.cells.values():
            done = cell.completed
            if done is not None and done.attempt and not done.cached:
                self._shown.setdefault(_kind(cell.id), []).append(done)
                self._shown.setdefault(_broad_kind(cell.id), []).append(done)

    def of(self, wanted: Wanted) -> _Guess:
        cell = self._document.cells.get(wanted.id, Cell(id=wanted.id))
        before, alike = cell.completed, self._alike(wanted.id)
        usual = PROSE if wanted.column is None else ANSWER
        tokens_out = fmean(done.tokens_out for done in alike) if alike else usual.tokens_out
        if before is not None and before.attempt and before.tokens_out:
            tokens_out = before.tokens_out
        tokens_in = self._tokens_in(wanted)
        price_in, price_out = self._price(cell)
        return _Guess(
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=(tokens_in * price_in + tokens_out * price_out) / 1_000_000,
            duration_ms=fmean(done.duration_ms for done in alike) if alike else usual.duration_ms,
        )

    def _alike(self, id_: str) -> list[Completion]:
        """Cells of the same column; else cells of the same form."""
        return self._shown.get(_kind(id_)) or self._shown.get(_broad_kind(id_)) or []

    def _price(self, cell: Cell) -> tuple[float, float]:
        model = cell.model or self._document.policy.model or next(iter(self._figures.models), "")
        return self._figures.prices.get(model, (0.0, 0.0))

    def _tokens_in(self, wanted: Wanted) -> float:
        """Rules, brief, question, what it is built on, and the passages that one prompt quotes."""
        section, column = wanted.section, wanted.column
        characters = len(self._document.brief) + len(section.heading) + len(section.instructions)
        if column is not None:
            characters += len(column.heading) + len(column.instructions)
        for id_ in wanted.depends_on:
            cell = self._document.cells.get(id_)
            written = cell is not None and cell.completed is not None
            usual = (PROSE if ":" not in id_ else ANSWER).tokens_out * CHARACTERS_PER_TOKEN
            characters += len(cell.completed.text) if cell and cell.completed and written else usual
        return RULES_TOKENS + (characters + self._quoted(wanted)) / CHARACTERS_PER_TOKEN

    def _quoted(self, wanted: Wanted) -> float:
        sources = self._document.sources
        chosen = list(sources.values()) if wanted.row is None else [sources[wanted.row]]
        whole = sum(source.characters or source.given.size_bytes for source in chosen)
        count = sum(source.passages for source in chosen)
        size = sum(source.characters for source in chosen) / count if count else PASSAGE_CHARACTERS
        return min(whole, self._figures.passages_max * size)


def _kind(id_: str) -> str:
    """The column of a table's cell; a prose cell is of its own kind."""
    section, _, rest = id_.partition(":")
    return f"{section}:{rest.partition(':')[2]}" if rest else "prose"


def _broad_kind(id_: str) -> str:
    return "answers" if ":" in id_ else "prose"


def _duration_ms(
    outline: tuple[Section, ...], guesses: Mapping[str, _Guess], wanted: Mapping[str, Wanted], parallel: int
) -> float:
    """The longest way through the graph, or what so many hands need for all of it: whichever is longer."""
    slowest: dict[str, float] = {}
    for id_, guess in guesses.items():
        section = wanted[id_].section.id
        slowest[section] = max(slowest.get(section, 0.0), guess.duration_ms)
    by_id = {section.id: section for section in outline}
    ends: dict[str, float] = {}

    def end(id_: str) -> float:
        if id_ not in ends:
            parents = (end(parent) for parent in parent_ids(by_id[id_]) if parent in by_id)
            ends[id_] = slowest.get(id_, 0.0) + max(parents, default=0.0)
        return ends[id_]

    longest = max((end(id_) for id_ in by_id), default=0.0)
    return max(longest, sum(guess.duration_ms for guess in guesses.values()) / max(parallel, 1))


def cells_of(document: Document) -> tuple[str, ...]:
    """Every cell of a document, or of what may be planned for it."""
    return tuple(id_ for section in document.outline for id_ in cells_of_section(section, document.sources))
