"""Somebody who watches a document, edits it, and asks the model what it was asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

import httpx2

from schemas.cells import text_digest
from schemas.document import Document, Done
from schemas.standing import standings
from tests.system import Viewer

PATIENCE_S = 300


class Reader:
    """Somebody with a document's key, who watches it and edits it, and can ask the model what it was asked."""

    def __init__(self, client: httpx2.AsyncClient, simulator: str, made: dict[str, Any]) -> None:
        self.id, self.key = made["id"], made["key"]
        self.viewer = Viewer(client, self.id)
        self._client = client
        self._simulator = simulator
        self.watching: asyncio.Task[None] | None = None
        self.sent: dict[str, str] = {}
        """Texts of sources that were sent, by their digest."""
        self._moved = asyncio.Event()

    async def __aenter__(self) -> Self:
        self.watching = asyncio.create_task(self._watch())
        self.watching.add_done_callback(lambda _: self._moved.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.watching is not None:
            self.watching.cancel()

    async def _watch(self) -> None:
        while True:
            try:
                async for _ in self.viewer.events():
                    self._moved.set()
            except httpx2.HTTPError:
                continue  # A connection may be lost: it comes back where it was, as a browser does.

    async def send(self, method: str, path: str = "", body: Any = None, **headers: str) -> httpx2.Response:
        if body is not None and path.startswith("/sources/"):
            self.sent[text_digest(body["text"])] = body["text"]
        url = f"/api/documents/{self.id}{path}"
        return await self._client.request(
            method, url, json=body, headers={"Authorization": f"Bearer {self.key}", **headers}
        )

    async def edit(self, method: str, path: str = "", body: Any = None, **headers: str) -> dict[str, Any]:
        response = await self.send(method, path, body, **headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def until(self, holds: Callable[[Document], object]) -> Document:
        async with asyncio.timeout(PATIENCE_S):
            while (document := self.viewer.document) is None or not holds(document):
                if self.watching is not None and self.watching.done():
                    await self.watching  # A defect: said at once, and not waited for.
                self._moved.clear()
                await self._moved.wait()
        return document

    async def settled(self, after: int = 0) -> Document:
        """The document once it rests, with everything written as wanted; `after` an edit that stands at this sequence."""

        def rests(document: Document) -> bool:
            if not isinstance(document.run, Done) or document.sequence < after:
                return False
            return all(one.is_over or not one.may_write for one in standings(document).values())

        return await self.until(rests)

    async def calls(self) -> Counter[str]:
        """How often the model was asked for each cell."""
        found = (await self._client.get(f"{self._simulator}/record", params={"document": self.id})).json()
        return Counter(call["cell"] for call in found)
