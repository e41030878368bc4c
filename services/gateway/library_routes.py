"""The library over HTTP: list, duplicate and delete documents; keep and use templates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas import commands, library, subjects
from schemas.commands import AnyCommand, DeleteDocument, StopDocument
from schemas.document import Document, Running
from schemas.outline import check_outline
from schemas.requests import DuplicateAsked, Template, TemplateAsked, Templates
from services.gateway.access import Access, new_id
from services.gateway.creating import Creating, Made, outline_of
from services.gateway.hub import Hub, Hubs
from services.gateway.library import Library, new_template_id, owner_of, recognised
from services.gateway.problems import FieldError, Problem, decoded
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import read

LIMIT = 50
LIMIT_MAX = 200
CLOSE_S = 3.0
"""A stop closes calls in milliseconds; longer than this a dead writer's receipt is not waited for."""
GONE_S = 20.0
POLL_S = 0.02

Answer = Callable[[Request, Made], Awaitable[Response]]
Body = Callable[[Request], Awaitable[bytes]]


class LibraryFace:
    """Handlers, each reads a request, asks, and answers."""

    def __init__(  # noqa: PLR0913 -- the parts, by name
        self,
        *,
        bus: Bus,
        access: Access,
        creating: Creating,
        hubs: Hubs,
        library: Library,
        created: Answer,
        body: Body,
    ) -> None:
        self._bus = bus
        self._access = access
        self._creating = creating
        self._hubs = hubs
        self._library = library
        self._created = created
        self._body = body

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/api/documents", self.list, methods=["GET"]),
            Route("/api/documents/{id}", self.delete, methods=["DELETE"]),
            Route("/api/documents/{id}/duplicate", self.duplicate, methods=["POST"]),
            Route("/api/templates", self.templates, methods=["GET"]),
            Route("/api/templates", self.save, methods=["POST"]),
            Route("/api/templates/{template}", self.forget, methods=["DELETE"]),
        ]

    # -- Documents ------------------------------------------------------------------------------------------------------

    async def list(self, request: Request) -> Response:
        """The documents of whoever asks, what changed last first; none of anybody else's."""
        owner = owner_of(request)
        cards = [] if owner is None else await self._library.cards(owner)
        query = request.query_params
        return _json(library.page(cards, query.get("q", ""), query.get("after"), _limit(query.get("limit"))))

    async def delete(self, request: Request) -> Response:
        """204 when nothing of it is left, 202 where that takes longer. Its calls are closed first, and its viewers told last."""
        id_: str = request.path_params["id"]
        await self._access.check(request, id_)
        hub, unuse = await self._hubs.use(id_)
        try:
            if hub.document is not None:
                await self._stop(hub, hub.document)
            await self._wish(DeleteDocument(document=id_, asked_at_ms=now_ms()))
            try:
                async with asyncio.timeout(GONE_S):
                    await hub.until(lambda _: False)
                    while await self._facts(id_) > 1:  # noqa: ASYNC110 -- a stream tells nobody what was purged
                        await asyncio.sleep(POLL_S)
            except TimeoutError:
                return Response(status_code=202)
        finally:
            unuse()
        return Response(status_code=204)

    async def duplicate(self, request: Request) -> Response:
        """A document with the same brief, outline and sources, written anew. Who may read it may copy it."""
        wanted = decoded(await self._body(request) or b"{}", DuplicateAsked)
        document = await self._folded(request.path_params["id"])
        return await self._created(request, await self._creating.copy(document, wanted.title))

    async def _stop(self, hub: Hub, document: Document) -> None:
        """Until every call is closed: what a writer says after the end would have to be thrown away again."""
        if isinstance(document.run, Running):
            await self._wish(StopDocument(document=hub.id, asked_at_ms=now_ms()))
        try:
            async with asyncio.timeout(CLOSE_S):
                await hub.until(lambda now: not isinstance(now.run, Running) and not now.open_calls)
        except TimeoutError:
            return  # A call that no one settles: its writer is gone.

    async def _wish(self, wish: AnyCommand) -> None:
        headers = {subjects.HEADER_MESSAGE_ID: new_id()}
        await self._bus.js.publish(subjects.command(wish.document), commands.encode(wish), headers=headers)

    async def _facts(self, document: str) -> int:
        return len([1 async for _ in read(self._bus.client, subjects.FACTS, subjects.facts_stored(document))])

    async def _folded(self, id_: str) -> Document:
        hub, unuse = await self._hubs.use(id_)
        try:
            if hub.document is None:
                raise Problem(404, "There is no such document.")
            return hub.document
        finally:
            unuse()

    # -- Templates ------------------------------------------------------------------------------------------------------

    async def templates(self, request: Request) -> Response:
        """Those that come with Scriptorium, and those of whoever asks."""
        return _json(Templates(templates=tuple(await self._library.templates(owner_of(request)))))

    async def save(self, request: Request) -> Response:
        """Keep an outline, or that of a document."""
        wanted = decoded(await self._body(request), TemplateAsked)
        if wanted.document is not None:
            sections = (await self._folded(wanted.document)).outline
        else:
            sections = outline_of(wanted.outline).sections
        errors = [FieldError(f"/outline/{problem.where}", problem.message) for problem in check_outline(sections)]
        if errors:
            raise Problem(422, f"{errors[0].pointer}: {errors[0].detail}", errors)
        template = Template(
            id=new_template_id(), name=wanted.name, description=wanted.description, sections=sections, is_own=True
        )
        response = _json(template, 201)
        await self._library.save(recognised(request, response, secure=request.url.scheme == "https"), template)
        return response

    async def forget(self, request: Request) -> Response:
        """Keep it no longer."""
        await self._library.forget(owner_of(request), request.path_params["template"])
        return Response(status_code=204)


def _limit(given: str | None) -> int:
    if given is None:
        return LIMIT
    if not given.isdecimal() or not 1 <= int(given) <= LIMIT_MAX:
        detail = f"A page has 1 to {LIMIT_MAX} documents."
        raise Problem(422, f"/limit: {detail}", [FieldError("/limit", detail)])
    return int(given)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
