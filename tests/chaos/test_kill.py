"""SIGKILL of each service, one after the other, in the middle of a document, and of nats-server itself; and processes that freeze."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from schemas import subjects
from schemas.cells import text_digest
from schemas.document import Completed, Document, Done
from schemas.events import (
    AttemptStarted,
    CellCompleted,
    DocumentCompleted,
    DocumentPaused,
    Fact,
    TextAppended,
    decode_fact,
    decode_ink,
)
from schemas.fold import created, fold
from tests.system import System, Viewer, create, running, sections

LICENSE = (Path(__file__).parents[2] / "LICENSE").read_text(encoding="utf-8")
DIALS = {"pace": "fixed", "first_token_ms": 200, "token_interval_ms": 5, "variety": 1}
"""`variety`: each time that a model is asked the same, it says it in other words. So two answers can be told apart."""
PATIENCE_S = 180


class Case(NamedTuple):
    """Who is struck, how, and when: as soon as an event of this type is seen."""

    victim: str
    strikes: signal.Signals = signal.SIGKILL
    at: str = "TextAppended"
    planned: bool = False
    """By the planner: no outline is given."""

    def __str__(self) -> str:
        return f"{self.victim}-{self.strikes.name}"


FROZEN_WRITER = Case("writer", signal.SIGSTOP)
"""It stays frozen until another has done its work."""
CASES: tuple[Case, ...] = (
    Case("writer"),
    Case("conductor"),
    Case("gateway"),
    Case("simulator"),
    Case("ingester", at="snapshot", planned=True),
    Case("planner", at="AttemptStarted", planned=True),
    Case("nats-server"),
    FROZEN_WRITER,
    Case("conductor", signal.SIGSTOP),
    Case("gateway", signal.SIGSTOP),
)


THAWED_AT: dict[str, tuple[type[Fact], ...]] = {
    "writer": (AttemptStarted,),
    "conductor": (CellCompleted,),
    "gateway": (DocumentCompleted, DocumentPaused),
}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("up") / "data", "--writers", "2") as system:
        httpx2.put(f"{system.simulator}/dials", json={"dials": DIALS}, trust_env=False).raise_for_status()
        yield system


@asynccontextmanager
async def _ink(system: System, document: str) -> AsyncGenerator[list[TextAppended]]:
    """What every attempt says, as it comes over the bus."""
    heard: list[TextAppended] = []

    async def hear(message: Any) -> None:
        heard.append(decode_ink(message.data))

    async with system.bus() as bus:
        await bus.client.subscribe(subjects.live_ink(document), cb=hear)
        yield heard


async def _watched(client: httpx2.AsyncClient, document: str) -> Document:
    """Watch as a browser does, coming back after each loss, until the document is over."""
    viewer = Viewer(client, document)
    while viewer.document is None or not isinstance(viewer.document.run, Done):
        try:
            await viewer.until("DocumentCompleted", "DocumentFailed", "DocumentPaused")
        except (httpx2.HTTPError, AssertionError):
            await asyncio.sleep(0.2)  # A browser's own pause between two tries.
    return viewer.document


async def _folded(system: System, document: str) -> Document:
    """What the log alone comes to."""
    (first, fact), *others = await system.log(document)
    folded = created(document, fact, first)
    for sequence, other in others:
        folded = fold(folded, other, sequence)
    return folded


async def _until_in_the_log(system: System, document: str, *types: type[Fact]) -> None:
    found = asyncio.Event()

    async def hear(message: Any) -> None:
        if isinstance(decode_fact(message.data), types):
            found.set()

    async with system.bus() as bus:
        await bus.client.subscribe(subjects.live_facts(document), cb=hear)
        await bus.client.flush()
        if not any(isinstance(fact, types) for _, fact in await system.log(document)):
            await found.wait()


def _texts(document: Document) -> dict[str, str | None]:
    return {id_: cell.completed and cell.completed.text for id_, cell in document.cells.items()}


def _assert_each_is_one_attempts_text(document: Document, ink: list[TextAppended]) -> None:
    said: dict[tuple[str, int], list[TextAppended]] = defaultdict(list)
    for piece in ink:
        said[piece.cell, piece.attempt].append(piece)
    assert document.outline
    for section in document.outline:
        cell = document.cells[section.id]
        assert isinstance(cell.state, Completed)
        assert cell.completed is not None
        text = cell.completed.text
        assert text_digest(text) == cell.completed.output_digest
        for piece in said[section.id, cell.completed.attempt]:
            assert text[piece.offset :].startswith(piece.text), "these are not the words of that attempt"


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_document_survives(case: Case, system: System) -> None:
    body: dict[str, Any] = {"brief": "Terms", "sources": [{"name": "LICENSE", "text": LICENSE}]}
    if not case.planned:
        body["outline"] = sections(12)
    frozen: int | None = None
    async with (
        asyncio.timeout(PATIENCE_S),
        httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as client,
    ):
        made = await create(client, **body)
        async with _ink(system, made["id"]) as ink:
            await Viewer(client, made["id"]).until(case.at)
            struck = system.kill(case.victim, with_signal=case.strikes)
            try:
                if case.strikes == signal.SIGSTOP:
                    frozen = struck
                    await _until_in_the_log(system, made["id"], *THAWED_AT[case.victim])
                    if case.victim != "writer":
                        os.kill(frozen, signal.SIGCONT)
                document = await _watched(client, made["id"])
            finally:
                if frozen is not None:
                    os.kill(frozen, signal.SIGCONT)
    _assert_each_is_one_attempts_text(document, ink)
    assert _texts(await _folded(system, made["id"])) == _texts(document)
    if case == FROZEN_WRITER:
        await _has_nothing_more_to_say(system, document)


async def _has_nothing_more_to_say(system: System, document: Document) -> None:
    """The frozen writer is back and writes again; what it still had to say of the first document changes nothing there."""
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as client:
        again = await create(client, brief="Terms", outline=sections(16, summary=False))
        after = await _watched(client, again["id"])
    assert isinstance(after.run, Done)
    assert _texts(await _folded(system, document.id)) == _texts(document)
