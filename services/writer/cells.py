"""From a job to the question that a model is asked: what the cell is, which passages bear on it."""

from __future__ import annotations

import asyncio

from schemas.cells import wanted_cells
from schemas.document import Cell, Document
from services.shared.attempt.blocks import Sources
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
        wanted = wanted_cells(document.outline, document.sources).get(ask.cell)
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
        return Prepared(
            work=CellWork(ask, wanted, messages(document, wanted, chosen, sources), sources),
            chain=chain_of(cell.model or document.policy.model, self._settings.models.write),
            tokens_out_max=min(tokens_max, limits.tokens_out_max),
            structured=None if wanted.column is None else "bad_answer",
        )
