"""From a job to the question that a model is asked: what the cell is, which passages bear on it."""

from __future__ import annotations

import asyncio

from schemas.document import Cell, Document
from schemas.standing import wanted_cell
from services.shared.attempt.blocks import Sources
from services.shared.attempt.cache import Question, key_of
from services.shared.attempt.look import Ask
from services.shared.attempt.models import chain_of
from services.shared.attempt.runner import Prepared
from services.shared.retrieval import choose
from services.shared.settings import Settings
from services.writer.answer import CellWork
from services.writer.prompt import messages, query


class CellWriter:
    """The writer's purpose."""

    def __init__(self, settings: Settings, sources: Sources) -> None:
        self._settings = settings
        self._sources = sources

    async def prepare(self, document: Document, ask: Ask) -> Prepared | None:
        """None: the outline has no such cell (any more)."""
        wanted = wanted_cell(document, ask.cell)
        if wanted is None:
            return None
        cell = document.cells.get(ask.cell, Cell(id=ask.cell))
        limits = self._settings.limits
        tokens_max = document.policy.cell_tokens_max or limits.tokens_out_max
        sources = await self._sources.of(document, only=wanted.row)
        # Ranking takes milliseconds, which no other cell's text should wait for.
        chosen = (
            await asyncio.to_thread(choose, sources, query(document, wanted), limits.passages_max) if sources else ()
        )
        work = CellWork(ask, wanted, messages(document, wanted, chosen, sources), sources)
        models = self._settings.models
        configured = models.write if wanted.column is None else models.table
        chain = chain_of(cell.model or document.policy.model, configured)
        tokens_out_max = min(tokens_max, limits.tokens_out_max)
        return Prepared(
            work=work,
            chain=chain,
            tokens_out_max=tokens_out_max,
            structured=None if wanted.column is None else "bad_answer",
            question=question(document, ask.cell, work, chain, tokens_out_max),
        )


def question(
    document: Document, cell: str, work: CellWork, chain: tuple[str, ...], tokens_out_max: int
) -> Question | None:
    """What the answer is kept under, as the document's policy has it; None: nowhere."""
    use, asked = document.policy.cache, document.cells.get(cell)
    if use == "off" or asked is None:
        return None
    key = key_of(
        document=document.id if use == "document" else "",
        input_digest=asked.input_digest,
        messages=work.messages,
        form=work.response_schema,
        chain=chain,
        tokens_out_max=tokens_out_max,
    )
    # Of a document's own, only a later revision or a twin can have been asked before.
    twins = sum(other.input_digest == asked.input_digest for other in document.cells.values())
    return Question(key, may_be_answered=use == "shared" or asked.revision > 1 or twins > 1)
