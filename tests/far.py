"""The far end of a model call: the simulator's own view, and its dials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.writers import PATIENCE_S

FAST: dict[str, Any] = {"pace": "fixed", "first_token_ms": 30, "token_interval_ms": 3}
LOOK_S = 0.02


class Far:
    """A simulator, asked and turned over HTTP."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def turn(self, model: str = "*", **dials: Any) -> None:
        """Turn live dials; None puts one back."""
        (await self._http.patch("/dials", json={"model": model, "dials": dials})).raise_for_status()

    async def calls(self, document: str | None = None) -> list[dict[str, Any]]:
        """Its record of a document's calls, or of all."""
        parameters = {} if document is None else {"document": document}
        return (await self._http.get("/record", params=parameters)).json()

    async def until_closed(self, document: str | None = None) -> list[dict[str, Any]]:
        """The same, once none of them is open."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                calls = await self.calls(document)
                if all(call["ended"] != "open" for call in calls):
                    return calls
                await asyncio.sleep(LOOK_S)  # Over HTTP there is nothing to wait for but the next answer.


@asynccontextmanager
async def far_of(address: str) -> AsyncGenerator[Far]:
    """A simulator with its dials put back and an empty record."""
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
        await http.delete("/dials")
        await http.delete("/record")
        yield Far(http)
