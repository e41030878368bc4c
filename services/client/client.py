"""Scriptorium over HTTP, for programs: the same face that the page uses (design: POST, SSE with resume, fold)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx2
import msgspec

from schemas import document as documents
from schemas.document import Document
from schemas.events import TextAppended, decode_event
from schemas.fold import fold, fold_ink

RETRY_FIRST_S = 0.25
RETRY_MAX_S = 5.0
BAD_REQUEST = 400
SERVER_ERROR = 500


class Created(msgspec.Struct, frozen=True):
    """A new document: `id` is the right to read it, `key` the right to change it."""

    id: str
    key: str
    url: str
    events: str


class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """The gateway's refusal, in its own words (RFC 9457)."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            told: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            told = {}
        self.status = status
        self.errors: list[dict[str, str]] = told.get("errors", [])
        said = str(told.get("detail") or told.get("title") or f"HTTP {status}")
        super().__init__("\n".join([said, *(f"  {e.get('pointer', '')}: {e.get('detail', '')}" for e in self.errors)]))


class ScriptoriumClient:
    """One gateway."""

    def __init__(self, address: str) -> None:
        self._http = httpx2.AsyncClient(base_url=address, trust_env=False, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def create(self, body: dict[str, Any]) -> Created:
        """POST a document. Problem where it is refused."""
        answer = await self._post("/api/documents", msgspec.json.encode(body), "application/json")
        return msgspec.json.decode(answer, type=Created)

    async def upload(self, name: str, data: bytes) -> str:
        """Hand over a file of any kind; the answer goes into a source's `upload`."""
        answer = await self._post(
            f"/api/uploads?{httpx2.QueryParams({'name': name})}", data, "application/octet-stream"
        )
        return msgspec.json.decode(answer, type=dict[str, str])["upload"]

    async def stop(self, created: Created) -> None:
        """Stop now."""
        await self._post(f"/api/documents/{created.id}/stop", b"{}", "application/json", created.key)

    async def markdown(self, id_: str) -> str:
        """The document with numbered sources."""
        response = await self._http.get(f"/api/documents/{id_}", headers={"Accept": "text/markdown"})
        _checked(response)
        return response.text

    async def watch(self, id_: str) -> AsyncIterator[Document]:
        """The document after each event; comes back by itself after a loss, and misses nothing."""
        folded: Document | None = None
        last_id = ""
        delay_s = RETRY_FIRST_S
        while True:
            try:
                async for type_, data, event_id in self._events(id_, last_id):
                    delay_s = RETRY_FIRST_S
                    last_id = event_id or last_id
                    folded = _after(folded, type_, data, last_id)
                    if folded is not None:
                        yield folded
            except httpx2.TransportError:
                pass  # Dropped: come back with the last id.
            except Problem as problem:
                if problem.status < SERVER_ERROR:
                    raise
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)

    async def _events(self, id_: str, last_id: str) -> AsyncIterator[tuple[str, str, str]]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        timeout = httpx2.Timeout(30, read=60)
        async with self._http.stream(
            "GET", f"/api/documents/{id_}/events", headers=headers, timeout=timeout
        ) as response:
            if response.status_code >= BAD_REQUEST:
                raise Problem(response.status_code, await response.aread())
            fields: dict[str, str] = {}
            async for line in response.aiter_lines():
                if line:
                    field, _, value = line.partition(":")
                    fields[field] = value.removeprefix(" ")
                elif "data" in fields:
                    yield fields.get("event", "message"), fields["data"], fields.get("id", "")
                    fields = {}

    async def _post(self, path: str, body: bytes, media_type: str, key: str | None = None) -> bytes:
        headers = {"Content-Type": media_type} | ({"Authorization": f"Bearer {key}"} if key else {})
        response = await self._http.post(path, content=body, headers=headers)
        _checked(response)
        return response.content


def _checked(response: httpx2.Response) -> None:
    if response.status_code >= BAD_REQUEST:
        raise Problem(response.status_code, response.content)


def _after(document: Document | None, type_: str, data: str, last_id: str) -> Document | None:
    if type_ == "snapshot":
        return documents.decode(data)
    if document is None or type_ == "CaughtUp":
        return document
    event = decode_event(data)
    if isinstance(event, TextAppended):
        return fold_ink(document, event)
    return fold(document, event, int(last_id.split("-")[1]))
