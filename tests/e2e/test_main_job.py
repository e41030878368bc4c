"""Brief, sources, outline in; a cited document out, over the real bus, real HTTP and the real simulator."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from schemas.citations import is_quoted
from schemas.document import Cancelled, Completed, Done, Paused
from tests.stopping import MODEL, set_pace
from tests.system import System, Viewer, create, sections

ROOT = Path(__file__).parents[2]


class Call(msgspec.Struct):
    """One call as the simulator saw it."""

    ended: str


def _sources() -> list[dict[str, str]]:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return [
        {"name": "ARCHITECTURE.md", "text": text},
        {"name": "LICENSE", "text": (ROOT / "LICENSE").read_text("utf-8")},
    ]


async def test_a_document_fills_in_and_every_citation_is_found_in_its_source(client: httpx2.AsyncClient) -> None:
    made = await create(client, brief="How this system works", sources=_sources(), outline=sections(4))
    viewer = Viewer(client, made["id"])
    async with asyncio.timeout(120):
        await viewer.until("DocumentCompleted", "DocumentFailed")
    document = viewer.document
    assert document is not None
    assert isinstance(document.run, Done)
    cited = 0
    for section in document.outline:
        cell = document.cells[section.id]
        assert isinstance(cell.state, Completed)
        assert cell.completed is not None
        for citation in cell.completed.citations:
            url = f"/api/documents/{made['id']}/sources/{citation.source}/passages/{citation.passage}"
            passage = (await client.get(url)).json()
            assert citation.verified
            assert is_quoted(citation.quote, passage["text"])
            cited += 1
    assert cited >= 4
    markdown = await client.get(f"/api/documents/{made['id']}", headers={"Accept": "text/markdown"})
    assert all(section.heading in markdown.text for section in document.outline)


async def test_without_an_outline_the_planner_makes_one(client: httpx2.AsyncClient) -> None:
    made = await create(client, brief="How this system works", sources=_sources())
    viewer = Viewer(client, made["id"])
    async with asyncio.timeout(180):
        await viewer.until("DocumentCompleted", "DocumentFailed")
    assert viewer.document is not None
    assert isinstance(viewer.document.run, Done)
    assert len(viewer.document.outline) >= 3


async def test_viewers_that_drop_at_every_event_end_with_the_same_bytes(client: httpx2.AsyncClient) -> None:
    made = await create(client, brief="How this system works", sources=_sources(), outline=sections(12))
    steady, dropping = Viewer(client, made["id"]), Viewer(client, made["id"])

    async def drop_at_every_event() -> None:
        while True:
            async for type_, _ in dropping.events():
                if type_ == "DocumentCompleted" or dropping.over:
                    return
                if type_ not in {"snapshot", "CaughtUp"}:
                    break

    async with asyncio.timeout(240):
        await asyncio.gather(steady.until("DocumentCompleted"), drop_at_every_event())
    assert steady.document == dropping.document
    assert dropping.seen >= 12


async def test_the_last_viewer_leaving_closes_every_model_connection(
    system: System, client: httpx2.AsyncClient
) -> None:
    async with httpx2.AsyncClient(base_url=system.simulator, trust_env=False) as simulator:
        await set_pace(simulator, first_token_ms=100, token_interval_ms=200)  # No answer ends before its stop.
    policy: dict[str, Any] = {"grace_ms": 0, "model": f"simulator/{MODEL}"}
    made = await create(client, brief="Stop", sources=_sources(), outline=sections(8), policy=policy)
    viewer = Viewer(client, made["id"])
    async with asyncio.timeout(60):
        await viewer.until("TextAppended")  # Returning closes this viewer's connection.
        async with httpx2.AsyncClient(base_url=system.simulator, trust_env=False) as simulator:
            while True:
                document = (await client.get(f"/api/documents/{made['id']}")).json()
                if document["run"]["type"] == "Paused" and not any(
                    cell["state"]["type"] == "Writing" for cell in document["cells"].values()
                ):
                    receipts = [c["state"] for c in document["cells"].values() if c["state"]["type"] == "Cancelled"]
                    if receipts and all(r["closed_at_ms"] is not None for r in receipts):
                        break
            answer = await simulator.get("/record", params={"document": made["id"]})
            calls = msgspec.json.decode(answer.content, type=list[Call])
            (await simulator.delete("/dials")).raise_for_status()
    assert document["run"]["reason"] == "last_viewer_left"
    assert calls
    assert all(call.ended != "open" for call in calls)
    assert any(call.ended == "client_gone" for call in calls), calls


async def test_stop_and_resume_keep_what_was_finished(client: httpx2.AsyncClient) -> None:
    made = await create(client, brief="Stop", sources=_sources(), outline=sections(6))
    key = {"Authorization": f"Bearer {made['key']}"}
    viewer = Viewer(client, made["id"])
    async with asyncio.timeout(120):
        async for type_, _ in viewer.events():
            if type_ == "CellCompleted":
                assert (await client.post(f"/api/documents/{made['id']}/stop", headers=key)).status_code == 202
            if type_ == "DocumentPaused":
                break
        assert viewer.document is not None
        assert isinstance(viewer.document.run, Paused)
        finished = {id_: c.completed for id_, c in viewer.document.cells.items() if isinstance(c.state, Completed)}
        assert any(isinstance(c.state, Cancelled) for c in viewer.document.cells.values())
        assert (await client.post(f"/api/documents/{made['id']}/resume", headers=key)).status_code == 202
        await viewer.until("DocumentCompleted")
    assert finished
    for id_, completion in finished.items():
        assert viewer.document.cells[id_].completed == completion
