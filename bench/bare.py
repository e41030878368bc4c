"""The peer: the same document written by a loop in one process, with the same model client and SSE over HTTP, but no bus.

Nothing here survives a restart, a second process or a dropped viewer. It is what most people would write in an afternoon, and the
fastest that Python can be with these libraries: what the bus costs is measured against it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Generator, Iterable
from typing import NamedTuple

import msgspec
import uvicorn
import uvloop
from msgspec.structs import replace
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.events import TextAppended, encode
from schemas.requests import DocumentAsked, OutlineAsked
from schemas.values import Section
from services.shared.models.client import ModelClient
from services.shared.models.events import Finished, Text
from services.shared.models.requests import ChatRequest, Message, Provider

END_S = 5.0
TOKENS_MAX = 4_000


class Said(NamedTuple):
    """An event to be sent to all viewers."""

    type: str
    data: str


class Document:
    """What is being written, and who watches."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.viewers: set[asyncio.Queue[Said]] = set()
        self.texts: dict[str, str] = {}
        self.sections: tuple[Section, ...] = ()
        self.model = ""
        self.writing: asyncio.Task[None] | None = None

    def say(self, said: Said) -> None:
        """Keep it, and send it."""
        self.said.append(said)
        for viewer in self.viewers:
            viewer.put_nowait(said)

    async def watch(self) -> AsyncIterator[ServerSentEvent]:
        """All that was said, and all that will be."""
        queue: asyncio.Queue[Said] = asyncio.Queue()
        for said in self.said:
            queue.put_nowait(said)
        self.viewers.add(queue)
        try:
            while True:
                type_, data = await queue.get()
                yield ServerSentEvent(data, event=type_)
        finally:
            self.viewers.discard(queue)


class Loop:
    """The whole system."""

    def __init__(self, client: ModelClient) -> None:
        self._client = client
        self._documents: dict[str, Document] = {}
        self._ids = itertools.count(1)

    async def create(self, request: Request) -> Response:
        """POST /api/documents."""
        asked = msgspec.json.decode(await request.body(), type=DocumentAsked)
        sections = asked.outline.sections if isinstance(asked.outline, OutlineAsked) else ()
        id_ = str(next(self._ids))
        document = self._documents[id_] = Document()
        document.sections, document.model = tuple(sections), (asked.policy.model or "").partition("/")[2]
        document.writing = asyncio.create_task(self._write(document, document.sections))
        return Response(msgspec.json.encode({"id": id_}), 201, media_type="application/json")

    async def edit(self, request: Request) -> Response:
        """PATCH /api/documents/{id}/sections/{section}: written anew; what depends on it is left as it is."""
        document, id_ = self._documents[request.path_params["id"]], request.path_params["section"]
        changed = msgspec.json.decode(await request.body(), type=dict[str, str])
        section = replace(next(one for one in document.sections if one.id == id_), **changed)
        document.sections = tuple(section if one.id == id_ else one for one in document.sections)
        document.writing = asyncio.create_task(self._write(document, (section,)))
        return Response(b"{}", media_type="application/json")

    async def events(self, request: Request) -> Response:
        """GET /api/documents/{id}/events."""
        return EventSourceResponse(self._documents[request.path_params["id"]].watch())

    async def _write(self, document: Document, sections: Iterable[Section]) -> None:
        """Every section as soon as those that it depends on are there."""
        done = {section.id: asyncio.Event() for section in sections}

        async def write(section: Section) -> None:
            for needed in section.depends_on:
                if needed in done:
                    await done[needed].wait()
            await self._section(document, section, document.model)
            done[section.id].set()

        await asyncio.gather(*(write(section) for section in sections))
        document.say(Said("DocumentCompleted", "{}"))

    async def _section(self, document: Document, section: Section, model: str) -> None:
        given = "\n\n".join(document.texts[needed] for needed in section.depends_on)
        prompt = Message("user", f"{section.heading}\n{section.instructions}\n{given}")
        request = ChatRequest(model=model, messages=(prompt,), max_tokens=TOKENS_MAX)
        text = ""
        async with self._client.stream(request) as call:
            async for event in call:
                match event:
                    case Text(more):
                        ink = TextAppended(cell=section.id, attempt=1, offset=len(text), text=more)
                        document.say(Said("TextAppended", encode(ink).decode()))
                        text += more
                    case Finished():
                        break
                    case _:
                        raise RuntimeError(str(event))
        document.texts[section.id] = text


async def serve(base_url: str) -> None:
    """Serve on a free port until killed; uvicorn says which."""
    async with ModelClient(Provider(name="paced", base_url=base_url)) as client:
        loop = Loop(client)
        routes = [
            Route("/api/documents", loop.create, methods=["POST"]),
            Route("/api/documents/{id}/events", loop.events),
            Route("/api/documents/{id}/sections/{section}", loop.edit, methods=["PATCH"]),
        ]
        app = Starlette(routes=routes)
        config = uvicorn.Config(app, port=0, http="httptools", lifespan="off", access_log=False)
        await uvicorn.Server(config).serve()


@contextlib.contextmanager
def bare_loop(base_url: str) -> Generator[str]:
    """Start one; its address."""
    command = [sys.executable, "-m", "bench.bare", base_url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 -- our own program
        try:
            found = None
            while found is None and process.stderr is not None and (line := process.stderr.readline()):
                found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found is None:
                raise RuntimeError("the bare loop did not start")
            yield found[0]
        finally:
            process.terminate()
            process.wait(END_S)


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
