"""Scriptorium over HTTP, for programs: create, watch, stop, resume, export. The same face that the page uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Self

import httpx2
import msgspec

from schemas import document as documents
from schemas.document import Document
from schemas.events import TextAppended, decode_event
from schemas.fold import fold, fold_ink
from schemas.requests import DocumentAsked, DocumentMade, ProblemDetails, UploadMade
from services.shared.clock import monotonic_ms
from services.shared.sse import Blocks, ServerSentEvent, event_of

RETRY_FIRST_S = 0.25
RETRY_MAX_S = 5.0
TIMEOUT_S = 30.0
"""Of a request, and of silence on a stream: the gateway sends a comment every 12 s."""
PATIENCE_MS = 120_000
"""Longer than any restart takes, and than a model is silent."""
SNAPSHOT_BYTES_MAX = 256 * 1024**2
BAD_REQUEST = 400
SERVER_ERROR = 500
JSON = "application/json"


class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """The gateway's refusal, in its own words (RFC 9457)."""

    def __init__(self, status: int, body: bytes) -> None:
        try:
            told = msgspec.json.decode(body, type=ProblemDetails)
        except msgspec.DecodeError:  # Not from the gateway itself: a proxy's page.
            told = ProblemDetails(title=f"HTTP {status}", status=status, detail=f"HTTP {status}")
        self.status = status
        self.errors = told.errors
        super().__init__(
            "\n".join([told.detail or told.title, *(f"  {error.pointer}: {error.detail}" for error in told.errors[1:])])
        )


class ScriptoriumClient:
    """One gateway. Every call raises Problem where it is refused, httpx2.HTTPError where nobody answers."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._http = httpx2.AsyncClient(base_url=self.address, trust_env=False, timeout=TIMEOUT_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def ready(self) -> bool:
        """Whether a document could be written."""
        return (await self._http.get("/readyz")).status_code < BAD_REQUEST

    async def upload(self, name: str, data: bytes) -> str:
        """Hand over a file of any kind; the answer goes into `SourceAsked.upload`."""
        path = f"/api/uploads?{httpx2.QueryParams({'name': name})}"
        answer = await self._post(path, data, media_type="application/octet-stream")
        return msgspec.json.decode(answer, type=UploadMade).upload

    async def create(self, wanted: DocumentAsked) -> DocumentMade:
        """Ask for a document."""
        return msgspec.json.decode(await self._post("/api/documents", msgspec.json.encode(wanted)), type=DocumentMade)

    async def get(self, id_: str) -> Document:
        """The document as it is now."""
        return documents.decode((await self._get(id_, JSON)).content)

    async def markdown(self, id_: str) -> str:
        """The document with numbered sources."""
        return (await self._get(id_, "text/markdown")).text

    async def stop(self, made: DocumentMade) -> None:
        """Stop now; what is finished stays."""
        await self._post(f"/api/documents/{made.id}/stop", key=made.key)

    async def resume(self, made: DocumentMade) -> None:
        """Go on with a paused document."""
        await self._post(f"/api/documents/{made.id}/resume", key=made.key)

    async def watch(self, id_: str) -> AsyncGenerator[Document]:
        """The document after each event, for as long as it is asked for.

        Whoever iterates counts as a viewer. A connection that is lost is made again with the last id, and nothing is missed;
        httpx2.HTTPError once nobody has answered for PATIENCE_MS.
        """
        folded: Document | None = None
        last_id = ""
        delay_s = RETRY_FIRST_S
        lost_ms: float | None = None
        while True:
            try:
                # Closed with us, not some time later by the garbage collector: it counts as a viewer while it is open.
                async with aclosing(self.events(id_, last_id)) as events:
                    async for event in events:
                        delay_s, lost_ms = RETRY_FIRST_S, None
                        last_id = event.id or last_id
                        folded = _after(folded, event)
                        if folded is not None:
                            yield folded
            except httpx2.HTTPError:
                # Lost: come back with the last id.
                lost_ms = lost_ms or monotonic_ms()
                if monotonic_ms() - lost_ms > PATIENCE_MS:
                    raise
            except Problem as problem:
                if problem.status < SERVER_ERROR:
                    raise
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)

    async def events(self, id_: str, last_id: str = "") -> AsyncGenerator[ServerSentEvent]:
        """One connection's events, as they come."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        async with self._http.stream("GET", f"/api/documents/{id_}/events", headers=headers) as response:
            if response.status_code >= BAD_REQUEST:
                raise Problem(response.status_code, await response.aread())
            blocks = Blocks(SNAPSHOT_BYTES_MAX)
            async for data in response.aiter_bytes():
                for block in blocks.feed(data):
                    event = event_of(block)
                    if event is not None:
                        yield event

    async def _get(self, id_: str, media_type: str) -> httpx2.Response:
        return _checked(await self._http.get(f"/api/documents/{id_}", headers={"Accept": media_type}))

    async def _post(self, path: str, body: bytes = b"{}", *, media_type: str = JSON, key: str | None = None) -> bytes:
        headers: dict[str, Any] = {"Content-Type": media_type}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return _checked(await self._http.post(path, content=body, headers=headers)).content


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.status_code >= BAD_REQUEST:
        raise Problem(response.status_code, response.content)
    return response


def _after(document: Document | None, event: ServerSentEvent) -> Document | None:
    if event.type == "snapshot":
        return documents.decode(event.data)
    if document is None or event.type == "CaughtUp":
        return document
    told = decode_event(event.data)
    if isinstance(told, TextAppended):
        return fold_ink(document, told)
    _epoch, sequence, _ink = event.id.split("-")
    return fold(document, told, int(sequence))
