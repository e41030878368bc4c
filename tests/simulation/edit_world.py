"""A document that is edited at random, a conductor's core that brings it up to date, and a model whose answer is a function of its prompt.

The fold, the core, the edits and the prompt are the real ones. What should be written is told here by comparing prompts, and not by
the digests that the core goes by.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from msgspec.structs import replace

from schemas.attempts import attempt_number
from schemas.cells import digest, text_digest, wanted_cells
from schemas.document import Document, Done, Queued
from schemas.edit_requests import CellPut, DocumentPatch, OfferPost, RewritePost, SectionPatch, SectionPost, UpdatePost
from schemas.events import (
    AnyFact,
    AttemptStarted,
    CellCompleted,
    DocumentCreated,
    DocumentRestored,
    SourceIngested,
)
from schemas.fold import created, fold
from schemas.jobs import IngestSource, WriteCell
from schemas.values import Column, Policy, Section, SourceGiven
from services.conductor.core import Situation, decide
from services.gateway import changes
from services.gateway.history import restoring
from services.shared.attempt.look import outdated
from services.writer.prompt import messages

DOC = "e" * 32
ROUNDS_MAX = 2_000
ANSWERS = 3
"""So few that a changed prompt often has the same answer, and a wave stops."""


class EditWorld:
    """One document, and everything that happens to it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 -- a schedule, not a secret
        self.now_ms = 1_000
        self.names = 0
        self.prompts: dict[str, str] = {}
        """What each cell's present text was written from."""
        self.calls: Counter[str] = Counter()
        self.settled: list[Document] = []
        sources = tuple(self._given() for _ in range(self.rng.randint(0, 3)))
        sections: list[Section] = []
        for _ in range(self.rng.randint(1, 5)):
            sections.append(self._section([section.id for section in sections]))
        fact = DocumentCreated(at_ms=1, title="T", brief="B", policy=Policy(), sources=sources, outline=tuple(sections))
        self.creation = fact
        self.document = created(DOC, fact, 1)

    # -- What happens ---------------------------------------------------------------------------------------------------

    def append(self, *facts: AnyFact) -> None:
        for fact in facts:
            self.now_ms += 1
            self.document = fold(self.document, replace(fact, at_ms=self.now_ms), self.document.sequence + 1)

    def step(self) -> bool:
        """One look of the conductor, and one job of what it asks; False where there is nothing to do."""
        situation = Situation(now_ms=self.now_ms, viewers=1, watched_at_ms=self.now_ms)
        decision = decide(self.document, situation)
        self.append(*decision.facts)
        if decision.jobs:
            job = self.rng.choice(decision.jobs)
            if isinstance(job, IngestSource):
                given = self.document.sources[job.source].given
                self.append(
                    SourceIngested(at_ms=0, source=job.source, digest=f"t{given.digest}", passages=1, characters=9)
                )
            elif isinstance(job, WriteCell):
                self._write(job)
        return bool(decision.facts or decision.jobs)

    def settle(self) -> None:
        for _ in range(ROUNDS_MAX):
            if not self.step():
                assert isinstance(self.document.run, Done)
                self.settled.append(self.document)
                return
        raise AssertionError("it never ends")

    def _write(self, job: WriteCell) -> None:
        cell = self.document.cells[job.cell]
        assert isinstance(cell.state, Queued)
        if outdated(self.document, cell):
            return
        attempt = attempt_number(job.job, 1, 1)
        self.append(AttemptStarted(at_ms=0, cell=job.cell, attempt=attempt, writer="w", model="m"))
        prompt = self.prompt(job.cell)
        self.calls[job.cell] += 1
        text = answer(prompt)
        if not cell.locked:
            self.prompts[job.cell] = prompt
        self.append(
            CellCompleted(
                at_ms=0,
                cell=job.cell,
                revision=job.revision,
                attempt=attempt,
                text=text,
                output_digest=text_digest(text),
            )
        )

    def prompt(self, id_: str) -> str:
        """All that reaches the model, and which model that is."""
        document, cell = self.document, self.document.cells.get(id_)
        wanted = wanted_cells(document.outline, document.sources)[id_]
        said = messages(document, wanted, (), {})
        rows = document.sources if wanted.row is None else {wanted.row: document.sources[wanted.row]}
        passages = [(row, source.given.name, source.digest) for row, source in rows.items()]
        model = (cell.model if cell else None) or document.policy.model
        return repr(([message.content for message in said], passages, model, cell.salt if cell else ""))

    # -- What may be edited -----------------------------------------------------------------------------------------------

    def edit(self) -> None:
        """One edit, any that can be made."""
        rng, document = self.rng, self.document
        section = rng.choice(document.outline)
        cells = list(wanted_cells(document.outline, document.sources))
        cell = rng.choice(cells) if cells else section.id
        source = rng.choice([*document.sources, ""])
        doings: list[Callable[[], object]] = [
            lambda: self._make(changes.describe(document, DocumentPatch(brief=f"B{rng.randint(0, 2)}"), ())),
            lambda: self._make(changes.describe(document, DocumentPatch(title=f"T{rng.randint(0, 9)}"), ())),
            lambda: self._make(
                changes.change_section(document, section.id, SectionPatch(instructions=f"I{rng.randint(0, 2)}"))
            ),
            lambda: self._make(
                changes.change_section(document, section.id, SectionPatch(heading=f"H{rng.randint(0, 2)}"))
            ),
            self._depend,
            self._reorder,
            lambda: self._make(changes.add_section(document, SectionPost(section=self._section([section.id])))),
            lambda: len(document.outline) > 1 and self._make(changes.remove_section(document, section.id)),
            lambda: cells and self._by_hand(cell),
            lambda: cells and self._make(changes.unlock(document, cell)) and self.prompts.pop(cell, None),
            lambda: cells and self._make(changes.rewrite(document, cell, RewritePost(), f"r{rng.random()}", ())),
            lambda: cells and document.cells.get(cell) and document.cells[cell].offer and self._decide(cell),
            lambda: self._make(changes.add_source(document, self._given(), source or None)),
            lambda: source and self._make(changes.replace_source(document, replace(self._given(), id=source))),
            lambda: source and self._make(changes.remove_source(document, source)),
            self._column,
        ]
        rng.choice(doings)()

    def restore(self) -> Document:
        """Back to a moment at which everything was written."""
        then = self.rng.choice(self.settled)
        parts = restoring(self.document, then)
        if parts:
            self.append(DocumentRestored(at_ms=0, to=then.sequence, edits=tuple(parts)))
        return then

    def update(self) -> None:
        self._make(changes.update(self.document, UpdatePost()))

    def _make(self, edits: changes.Edits) -> bool:
        self.append(*edits)
        return bool(edits)

    def _by_hand(self, cell: str) -> None:
        self._make(changes.write_cell(self.document, cell, CellPut(text=f"hand {self.rng.randint(0, 2)}"), ()))

    def _decide(self, cell: str) -> None:
        if self.rng.random() < 0.5:
            self._make(changes.decline(self.document, cell, OfferPost()))
        else:
            self._make(changes.accept(self.document, cell, OfferPost()))
            self.prompts[cell] = self.prompt(cell)

    def _depend(self) -> None:
        """On any sections before it, and columns of them, in an order in which nothing goes in circles."""
        order = sorted(self.document.outline, key=lambda section: section.id)
        place = self.rng.randrange(len(order))
        id_ = order[place].id
        needs = [need for other in order[:place] for need in (other.id, *(f"{other.id}:{c.id}" for c in other.columns))]
        parents = [need for need in needs if self.rng.random() < 0.4]
        self._make(changes.change_section(self.document, id_, SectionPatch(depends_on=tuple(parents))))

    def _reorder(self) -> None:
        sections = list(self.document.outline)
        self.rng.shuffle(sections)
        self._make(changes.outline(self.document, changes.OutlinePut(sections=tuple(sections))))

    def _column(self) -> None:
        tables = [section for section in self.document.outline if section.columns]
        if not tables:
            return
        table, rng = self.rng.choice(tables), self.rng
        sample = tuple(row for row in self.document.sources if rng.random() < 0.5)
        id_ = f"q{rng.randint(0, 2)}"
        if len(table.columns) > 1 and rng.random() < 0.2 and any(column.id == id_ for column in table.columns):
            self._make(changes.remove_column(self.document, table.id, id_))
            return
        asked = changes.ColumnPut(
            heading=f"Q{rng.randint(0, 2)}",
            format=rng.choice(["text", "number"]),
            sample=sample if rng.random() < 0.5 else (),
        )
        self._make(changes.put_column(self.document, table.id, id_, asked))

    def _section(self, before: list[str]) -> Section:
        self.names += 1
        columns = (Column(id="q0", heading="Q0", format="number"),) if self.rng.random() < 0.3 else ()
        parents = tuple(id_ for id_ in before if self.rng.random() < 0.5)
        id_ = f"c{self.names:03}"
        return Section(id=id_, heading=id_, depends_on=parents, columns=columns)

    def _given(self) -> SourceGiven:
        self.names += 1
        bytes_ = f"x{self.rng.randint(0, 3)}"
        return SourceGiven(id=f"s{self.names}", name=bytes_, media_type="text/plain", size_bytes=1, digest=bytes_)


class RecordedWorld(EditWorld):
    """One whose log can be read again: fact n stands at the sequence n."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.log: list[AnyFact] = [self.creation]

    def append(self, *facts: AnyFact) -> None:
        for fact in facts:
            super().append(fact)
            self.log.append(replace(fact, at_ms=self.now_ms))

    def at(self, cut: int) -> Document:
        """The document after so many facts."""
        document = created(DOC, self.creation, 1)
        for sequence, fact in enumerate(self.log[1:cut], 2):
            document = fold(document, fact, sequence)
        return document


def answer(prompt: str) -> str:
    """What the model says: a number, so that the same answer may count as words or be summed up."""
    return str(int(digest(prompt), 16) % ANSWERS)
