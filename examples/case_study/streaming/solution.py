"""The request that asks is set apart from the stream that shows: between them stands a log, from which anybody reads at their own pace.

In the system: `POST /api/documents` and `GET /api/documents/{id}/events` in `services/gateway/routes.py`; the log is a NATS stream
(`schemas/streams.py`), the reader `services/shared/tail.py`, the fan-out `services/gateway/hub.py`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.case_study.model import HEADINGS, Model, prompt, words_in

Event = dict[str, Any]


class Document:
    """What happened to a document, in order; numbers from 1. Everything that is shown is made of it."""

    def __init__(self, model: Model, brief: str) -> None:
        self._model = model
        self._brief = brief
        self._log: list[Event] = []
        self._more = asyncio.Event()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """The sections that are being written."""

    def tell(self, type_: str, **event: Any) -> None:  # noqa: ANN401 -- whatever an event says
        """It happened; whoever waits is woken."""
        self._log.append({"type": type_, **event})
        self._more.set()
        self._more = asyncio.Event()

    async def after(self, number: int) -> AsyncIterator[tuple[int, Event]]:
        """Everything after event `number`: what has happened at once, the rest as it happens."""
        while True:
            while number < len(self._log):
                number += 1
                yield number, self._log[number - 1]
            if self.is_complete:
                return
            await self._more.wait()

    @property
    def texts(self) -> dict[str, str]:
        """The sections that are finished: a fold of the log."""
        return {event["section"]: event["text"] for event in self._log if event["type"] == "SectionCompleted"}

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing any more."""
        return len(self.texts) == len(HEADINGS)

    def begin(self) -> None:
        """Write all sections that are not finished and not being written, side by side."""
        for heading in HEADINGS:
            if heading not in self.texts and heading not in self.tasks:
                self.tasks[heading] = asyncio.create_task(self._write(heading))

    async def _write(self, heading: str) -> None:
        attempts = [event for event in self._log if event["type"] == "SectionStarted" and event["section"] == heading]
        attempt, text = len(attempts) + 1, ""
        self.tell("SectionStarted", section=heading, attempt=attempt)
        try:
            async with aclosing(self._model.chunks(prompt(self._brief, heading))) as chunks:
                async for chunk in chunks:
                    # Where a piece belongs, it says itself: pieces of many sections share one stream.
                    if words := words_in(chunk):
                        self.tell("TextAppended", section=heading, attempt=attempt, offset=len(text), text=words)
                        text += words
            self.tell("SectionCompleted", section=heading, attempt=attempt, text=text)
        finally:
            del self.tasks[heading]


class Documents:
    """The application's handlers."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._documents: dict[str, Document] = {}

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/documents", self.create, methods=["POST"]),
            Route("/documents/{id}", self.show),
            Route("/documents/{id}/events", self.events),
        ]

    def made(self, brief: str) -> Document:
        """A new one."""
        return Document(self._model, brief)

    async def create(self, request: Request) -> JSONResponse:
        """Asks for the work, and waits for none of it."""
        document = self.made((await request.json())["brief"])
        id_ = secrets.token_hex(16)
        self._documents[id_] = document
        document.begin()
        return JSONResponse({"id": id_, "events": f"/documents/{id_}/events"}, 201)

    async def show(self, request: Request) -> JSONResponse:
        """What there is by now."""
        return JSONResponse({"texts": self._document(request).texts})

    async def events(self, request: Request) -> EventSourceResponse:
        """Shows the work, as often as anybody likes, from the beginning or from where they were."""
        document = self._document(request)
        return EventSourceResponse(self.frames(document, int(request.headers.get("last-event-id", "0"))))

    async def frames(self, document: Document, after: int) -> AsyncIterator[dict[str, Any]]:
        """One reader's stream."""
        async for number, event in document.after(after):
            yield {"id": str(number), "event": event["type"], "data": json.dumps(event)}

    def _document(self, request: Request) -> Document:
        document = self._documents.get(request.path_params["id"])
        if document is None:
            raise HTTPException(404, "There is no such document.")
        return document


def application(model: Model) -> Starlette:
    """`POST /documents {"brief"}` answers at once; `GET /documents/{id}/events` is a stream that resumes."""
    return Starlette(routes=Documents(model).routes())
