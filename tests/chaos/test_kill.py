"""SIGKILL of each service, one after the other, in the middle of a document, and of nats-server itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from schemas.cells import text_digest
from schemas.document import Completed, Document, Done
from tests.system import System, Viewer, create, running, sections

LICENSE = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")


async def _finished(system: System, document: str) -> Document:
    """Watch as a browser does, coming back after each loss, until the document is over."""
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as client:
        viewer = Viewer(client, document)
        while viewer.document is None or not isinstance(viewer.document.run, Done):
            try:
                await viewer.until("DocumentCompleted", "DocumentFailed", "DocumentPaused")
            except (httpx2.HTTPError, AssertionError):
                await asyncio.sleep(0.2)  # A browser's own pause between two tries.
    return viewer.document


@pytest.mark.parametrize("victim", ["writer", "conductor", "gateway", "simulator", "nats-server"])
async def test_a_document_survives_the_death_of(victim: str, tmp_path: Path) -> None:
    with running(tmp_path, "--writers", "2") as system:
        async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as client:
            made = await create(
                client, brief="Terms", sources=[{"name": "LICENSE", "text": LICENSE}], outline=sections(12)
            )
            async with asyncio.timeout(60):
                await Viewer(client, made["id"]).until("TextAppended")
        system.kill(victim)
        async with asyncio.timeout(150):
            document = await _finished(system, made["id"])
    for section in document.outline:
        cell = document.cells[section.id]
        assert isinstance(cell.state, Completed)
        assert cell.completed is not None
        assert text_digest(cell.completed.text) == cell.completed.output_digest
