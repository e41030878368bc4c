"""Stopping a document at a chosen moment, and what the simulator at the far end saw of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Literal, NamedTuple

import httpx2
import msgspec

from schemas import document as documents
from schemas.document import Cancelled, Document, Done, Paused
from tests.system import Viewer, create, sections

How = Literal["leaving", "button"]
SECTIONS = 8
MODEL = "steady"
"""Its pace is its own, so that others may use the same simulator."""
POLL_S = 0.03
GONE_S_MAX = 30.0
SOURCE = {
    "name": "Scriptoria",
    "text": "\n\n".join(
        f"In scriptorium number {n} the scribes copied {n * 7} books a year, each scribe one part of a book at a time. "
        f"The corrector of house {n} compared every page with its exemplar and marked {n * 3} errors in the margin."
        for n in range(1, 60)
    ),
}


class Call(msgspec.Struct):
    """One call as the simulator saw it; moments in milliseconds since the Unix epoch."""

    id: str
    cell: str
    ended: Literal["open", "finished", "failed", "client_gone"]
    began_at_ms: float
    ended_at_ms: float | None = None


class Stopped(NamedTuple):
    """One document that was stopped."""

    id: str
    asked_at_ms: float
    document: Document
    calls: list[Call]

    @property
    def closed_after_ms(self) -> list[float]:
        """Of each call that was open when the stop was asked for, or begun after that, how long it still was."""
        return [
            call.ended_at_ms - self.asked_at_ms
            for call in self.calls
            if call.ended == "client_gone" and call.ended_at_ms is not None and call.ended_at_ms > self.asked_at_ms
        ]


async def set_pace(simulator: httpx2.AsyncClient, first_token_ms: float, token_interval_ms: float) -> None:
    """How the model answers from now on: always the same."""
    dials = {"pace": "fixed", "first_token_ms": first_token_ms, "token_interval_ms": token_interval_ms}
    (await simulator.put("/dials", json={"model": MODEL, "dials": dials})).raise_for_status()


async def calls_of(simulator: httpx2.AsyncClient, document: str) -> list[Call]:
    """The simulator's record."""
    answer = await simulator.get("/record", params={"document": document})
    return msgspec.json.decode(answer.content, type=list[Call])


async def stop(gateway: httpx2.AsyncClient, simulator: httpx2.AsyncClient, how: How, after: int) -> Stopped:
    """Have a document written, stop it after so many events, and return once nothing of it is open any more."""
    policy: dict[str, Any] = {"grace_ms": 0 if how == "leaving" else "never", "model": f"simulator/{MODEL}"}
    made = await create(gateway, brief="Scriptoria", sources=[SOURCE], outline=sections(SECTIONS), policy=policy)
    viewer = Viewer(gateway, made["id"])
    async with asyncio.timeout(GONE_S_MAX), aclosing(viewer.events()) as events:
        async for _ in events:
            if viewer.seen > after:
                break
        if how == "button":
            asked_at_ms = time.time() * 1_000
            key = {"Authorization": f"Bearer {made['key']}"}
            await gateway.post(f"/api/documents/{made['id']}/stop", headers=key)
            return await _stopped(gateway, simulator, made["id"], asked_at_ms)
        asked_at_ms = time.time() * 1_000
    async with asyncio.timeout(GONE_S_MAX):
        return await _stopped(gateway, simulator, made["id"], asked_at_ms)


class StoppedCell(NamedTuple):
    """One cell that was stopped while the others went on."""

    id: str
    cell: str
    asked_at_ms: float
    document: Document
    calls: list[Call]


async def stop_cell(gateway: httpx2.AsyncClient, simulator: httpx2.AsyncClient, cell: str) -> StoppedCell:
    """Have a document written, stop one cell in the middle of its text, and return once the document has ended."""
    policy = {"grace_ms": "never", "model": f"simulator/{MODEL}"}
    made = await create(gateway, brief="Scriptoria", sources=[SOURCE], outline=sections(SECTIONS), policy=policy)
    async with asyncio.timeout(GONE_S_MAX):
        document = await _until(gateway, made["id"], lambda now: _has_words(now, cell))
        asked_at_ms = time.time() * 1_000
        path = f"/api/documents/{made['id']}/cells/{cell}/stop"
        (await gateway.post(path, headers={"Authorization": f"Bearer {made['key']}"})).raise_for_status()
        document = await _until(gateway, made["id"], lambda now: isinstance(now.run, Done) and not now.open_calls)
    return StoppedCell(made["id"], cell, asked_at_ms, document, await calls_of(simulator, made["id"]))


def _has_words(document: Document, cell: str) -> bool:
    found = document.cells.get(cell)
    return found is not None and found.ink is not None and bool(found.ink.text)


async def _until(gateway: httpx2.AsyncClient, id_: str, holds: Callable[[Document], bool]) -> Document:
    while True:
        document = documents.decode((await gateway.get(f"/api/documents/{id_}")).content)
        if holds(document):
            return document
        await asyncio.sleep(POLL_S)


async def _stopped(gateway: httpx2.AsyncClient, simulator: httpx2.AsyncClient, id_: str, asked_at_ms: float) -> Stopped:
    """Wait until it is paused, every attempt has given its receipt, and no call is open."""
    while True:
        await asyncio.sleep(POLL_S)  # Between two looks: they are not to slow down what they look at.
        document = documents.decode((await gateway.get(f"/api/documents/{id_}")).content)
        calls = await calls_of(simulator, id_)
        if (
            isinstance(document.run, Paused)
            and all(call.ended != "open" for call in calls)
            and all(
                cell.state.closed_at_ms is not None
                for cell in document.cells.values()
                if isinstance(cell.state, Cancelled)
            )
        ):
            return Stopped(id_, asked_at_ms, document, calls)
