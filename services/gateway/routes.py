"""The HTTP face (design §8): each handler reads a request, asks, and answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import httpx2
import msgspec
from nats.errors import Error as NatsError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from schemas import commands, subjects
from schemas.asyncapi import asyncapi
from schemas.commands import AnyCommand, ResumeDocument, StopCell, StopDocument
from schemas.document import Document
from schemas.events import PLAN_CELL
from schemas.passages import Passages, PassagesRead
from schemas.requests import NAME_CHARACTERS_MAX, DemoAsked, Demos, DocumentAsked, DocumentMade, Health, UploadMade
from schemas.standing import wanted_cell
from schemas.values import SOURCE_BYTES_MAX
from services.gateway import demos, page_files
from services.gateway.access import Access, keep, new_id
from services.gateway.control import ControlFace
from services.gateway.creating import Creating, Made
from services.gateway.edit_routes import EditFace
from services.gateway.frames import parse_cursor
from services.gateway.guard import OwnNamesOnly, OwnPagesOnly
from services.gateway.hub import Hubs
from services.gateway.leases import Leases
from services.gateway.library import Library, owner_of, recognised
from services.gateway.library_routes import LibraryFace
from services.gateway.metrics import exposition
from services.gateway.models import ModelsFace
from services.gateway.openapi import openapi
from services.gateway.operations import Rooms
from services.gateway.problems import Problem, decoded, on_bus_away, on_defect, on_http_error, on_problem
from services.gateway.readiness import missing
from services.gateway.sharing import ShareFace
from services.gateway.taking import Taking
from services.gateway.uploads import Uploads
from services.gateway.viewer import ViewerResponse
from services.gateway.watch_routes import WatchFace
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.fetching.fetch import Fetcher
from services.shared.log import BusUnavailableError
from services.shared.settings import Settings
from services.shared.sources import SourceStore
from services.shared.watches import WatchStore

BODY_BYTES_MAX = SOURCE_BYTES_MAX + 1024 * 1024
WAIT_S_MAX = 600
VERSION = version("scriptorium")
JSON = "application/json"

_ID = re.compile(r"^[0-9a-f]{32}$")
_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*(\d{1,6})\s*(?:$|[,;])")


class Face:
    """What the handlers need, wired by `main`."""

    def __init__(  # noqa: PLR0913 -- the parts, by name
        self,
        *,
        bus: Bus,
        settings: Settings,
        access: Access,
        creating: Creating,
        uploads: Uploads,
        store: SourceStore,
        hubs: Hubs,
        leases: Leases,
        rooms: Rooms,
        http: httpx2.AsyncClient,
        library: Library,
        fetcher: Fetcher,
    ) -> None:
        self.bus = bus
        self.settings = settings
        self.access = access
        self.creating = creating
        self.uploads = uploads
        self.store = store
        self.taking = Taking(store)
        self.library = library
        self.hubs = hubs
        self.leases = leases
        self.http = http
        self.editing = EditFace(
            bus=bus,
            settings=settings,
            access=access,
            creating=creating,
            store=store,
            hubs=hubs,
            library=library,
        )
        self.watches = WatchFace(
            bus=bus,
            settings=settings,
            access=access,
            hubs=hubs,
            store=WatchStore(bus),
            fetcher=fetcher,
            body=_json_body,
        )
        self.models = ModelsFace(settings)
        self.control = ControlFace(bus, access, rooms, settings.gateway)

    def app(self) -> Starlette:
        """The routes."""
        gateway = self.settings.gateway
        routes = [
            Route("/api/documents", self.create, methods=["POST"]),
            Route("/api/uploads", self.upload, methods=["POST"]),
            Route("/api/demo", self.demos, methods=["GET"]),
            Route("/api/demo", self.create_demo, methods=["POST"]),
            Route("/api/documents/{id}", self.read, methods=["GET"]),
            Route("/api/documents/{id}/events", self.events, methods=["GET"]),
            Route("/api/documents/{id}/stop", self._commanding(StopDocument), methods=["POST"]),
            Route("/api/documents/{id}/cells/{cell}/stop", self.stop_cell, methods=["POST"]),
            Route("/api/documents/{id}/resume", self._commanding(ResumeDocument), methods=["POST"]),
            Route("/api/documents/{id}/sources/{source}/passages", self.passages, methods=["GET"]),
            Route("/api/documents/{id}/sources/{source}/passages/{number:int}", self.passage, methods=["GET"]),
            *self.editing.routes(),
            *self.watches.routes(),
            *self.control.routes(),
            *LibraryFace(
                bus=self.bus,
                access=self.access,
                creating=self.creating,
                hubs=self.hubs,
                library=self.library,
                created=self._created,
                body=_json_body,
            ).routes(),
            *self.models.routes(),
            *ShareFace(self.access, self.library, gateway.public_url).routes(),
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/asyncapi.json", self.asyncapi, methods=["GET"]),
            Route("/", self.page, methods=["GET"]),
            Route("/d/{id}", self.page, methods=["GET"]),
            Route("/control/{id}", self.control_room, methods=["GET"]),
            Route("/settings", self.page, methods=["GET"]),
            Route("/library", self.page, methods=["GET"]),
            Route("/embed/{id}", self.page, methods=["GET"]),
            Route("/{file:path}", self.file, methods=["GET"]),
        ]
        return Starlette(
            routes=routes,
            middleware=[
                Middleware(page_files.SecurityHeaders),
                Middleware(OwnNamesOnly, public_url=gateway.public_url, hosts=gateway.hosts),
                Middleware(OwnPagesOnly, public_url=gateway.public_url),
            ],
            exception_handlers={
                Problem: on_problem,
                HTTPException: on_http_error,
                BusUnavailableError: on_bus_away,
                NatsError: on_bus_away,
                TimeoutError: on_bus_away,
                Exception: on_defect,
            },
        )

    # -- Documents ------------------------------------------------------------------------------------------------------

    async def create(self, request: Request) -> Response:
        """201 with id and key; with `Prefer: wait=N`, the finished document where it is done in time."""
        body = await _json_body(request)
        wanted = decoded(body, DocumentAsked)
        template = wanted.template and await self.library.template(owner_of(request), wanted.template)
        made = await self.creating.create(wanted, body, request.headers.get("idempotency-key"), template or None)
        found = _WAIT.search(request.headers.get("prefer", ""))
        if found is not None:
            wait_s = min(int(found[1]), WAIT_S_MAX)
            finished = await self._finished(request, made.id, wait_s)
            if finished is not None:
                response = await self.taking.answer(request, finished, 201)
                return await self._created_headers(request, response, made, {"Preference-Applied": f"wait={wait_s}"})
        return await self._created(request, made)

    async def read(self, request: Request) -> Response:
        """The folded document, as JSON or in a form to take away."""
        if "at" in request.query_params:
            return await self.taking.answer(request, await self.editing.moment(_document_id(request), request))
        hub, unuse = await self.hubs.use(_document_id(request))
        try:
            if hub.document is None:
                raise _no_document()
            return await self.taking.answer(request, hub.document)
        finally:
            unuse()

    async def events(self, request: Request) -> Response:
        """The stream: a snapshot and the tail, or what came after `Last-Event-ID` and the tail."""
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        watched = await self.hubs.watch(_document_id(request), parse_cursor(last))
        if watched is None:
            raise _no_document()
        return ViewerResponse(*watched)

    def _commanding(self, command: type[StopDocument | ResumeDocument]) -> Callable[[Request], Awaitable[Response]]:
        async def handler(request: Request) -> Response:
            id_ = _document_id(request)
            await self.access.check(request, id_)
            return await self._wished(command(document=id_, asked_at_ms=now_ms()))

        return handler

    async def stop_cell(self, request: Request) -> Response:
        """Stop one cell; where nobody writes it, that is so already."""
        asked_at_ms, id_, cell = now_ms(), _document_id(request), str(request.path_params["cell"])
        await self.access.check(request, id_)
        if cell == PLAN_CELL:
            raise Problem(409, "The outline is not stopped by itself: nothing goes on without it. Stop the document.")
        hub, unuse = await self.hubs.use(id_)
        document = hub.document
        unuse()
        if document is None:
            raise _no_document()
        if wanted_cell(document, cell) is None:
            raise Problem(404, f"There is no cell {cell!r}.")
        return await self._wished(StopCell(document=id_, cell=cell, asked_at_ms=asked_at_ms))

    async def _wished(self, wish: AnyCommand) -> Response:
        await self.bus.js.publish(
            subjects.command(wish.document), commands.encode(wish), headers={subjects.HEADER_MESSAGE_ID: new_id()}
        )
        return Response(b"{}", 202, media_type=JSON)

    async def _finished(self, request: Request, id_: str, wait_s: int) -> Document | None:
        """Wait as a viewer does: with a lease, and no longer than the client does. None where it is not done by then."""
        hub, unuse = await self.hubs.use(id_)
        resting, leaving = asyncio.create_task(hub.at_rest()), asyncio.create_task(_gone(request))
        try:
            await self.leases.hold(id_)
            await asyncio.wait({resting, leaving}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            resting.cancel()
            leaving.cancel()
            self.leases.release(id_)
            unuse()
        return hub.document if resting.done() and not resting.cancelled() else None

    # -- Sources --------------------------------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Response:
        """A file, raw; answers the id that a source may name."""
        name = request.query_params.get("name", "").strip()
        if not name:
            raise Problem(422, "An upload needs a name: /api/uploads?name=…")
        if len(name) > NAME_CHARACTERS_MAX:
            raise Problem(422, f"The name of an upload may have {NAME_CHARACTERS_MAX} characters.")
        data = await _body(request, SOURCE_BYTES_MAX)
        return _json(UploadMade(upload=await self.uploads.put(name, data)), 201)

    async def passages(self, request: Request) -> Response:
        """All passages of one source."""
        found = await self._read(request)
        return _json(PassagesRead(source=found.source, name=found.name, pages=found.pages, passages=found.passages))

    async def passage(self, request: Request) -> Response:
        """One passage."""
        found = await self._read(request)
        number: int = request.path_params["number"]
        if not 1 <= number <= len(found.passages):
            raise Problem(404, "There is no such passage.")
        return _json(found.passages[number - 1])

    async def _read(self, request: Request) -> Passages:
        """The version of a source that the document has now, or had at an earlier moment: `?at=`."""
        id_ = _document_id(request)
        if "at" in request.query_params:
            document = await self.editing.moment(id_, request)
        else:
            hub, unuse = await self.hubs.use(id_)
            document = hub.document
            unuse()
        source = None if document is None else document.sources.get(request.path_params["source"])
        found = None
        if source is not None and (source.digest is not None or "at" in request.query_params):
            # Then it may not have been read yet, and have been read since.
            found = await self.store.get_passages(id_, source.given.id, source.given.digest)
        if found is None:
            raise Problem(404, "There is no such source, or it has not been read.")
        return found

    # -- The demo, the page, operations ---------------------------------------------------------------------------------

    async def demos(self, _request: Request) -> Response:
        """What may be had ready-made."""
        return _json(Demos(demos=tuple(demos.offered())))

    async def create_demo(self, request: Request) -> Response:
        """A ready-made document, written anew."""
        wanted = demos.load(decoded(await _json_body(request), DemoAsked).name)
        return await self._created(request, await self.creating.create(wanted, b""))

    async def page(self, _request: Request) -> Response:
        """The page."""
        return page_files.page()

    async def control_room(self, _request: Request) -> Response:
        """The control room's page."""
        return page_files.page("control")

    async def file(self, request: Request) -> Response:
        """One of its files; their names carry their content's hash."""
        wanted: str = request.path_params["file"]
        if "\0" in wanted:
            raise Problem(404, "There is nothing of that name.")
        file = (page_files.PAGE / wanted).resolve()
        if not file.is_relative_to(page_files.PAGE) or not file.is_file():
            raise Problem(404, f"There is nothing at /{wanted}.")
        # Only what the build names by its content never changes under its name.
        named_by_content = file.is_relative_to(page_files.PAGE / "assets")
        cache = "public, max-age=31536000, immutable" if named_by_content else "no-cache"
        return FileResponse(file, headers={"Cache-Control": cache})

    async def healthz(self, _request: Request) -> Response:
        """This process answers."""
        return _json(Health(status="ok"))

    async def readyz(self, _request: Request) -> Response:
        """200 once a document could be written."""
        absent = await missing(self.bus, self.settings, self.http)
        if absent:
            raise Problem(503, " ".join(absent))
        return _json(Health(status="ready"))

    async def metrics(self, _request: Request) -> Response:
        """For Prometheus."""
        return exposition(self.hubs, self.leases)

    async def openapi(self, _request: Request) -> Response:
        """The HTTP face, for programs."""
        return _json(openapi(VERSION))

    async def asyncapi(self, _request: Request) -> Response:
        """The bus and the event stream, for programs."""
        return _json(asyncapi(VERSION))

    # -- Answers --------------------------------------------------------------------------------------------------------

    async def _created(self, request: Request, made: Made) -> Response:
        base = self.settings.gateway.public_url or f"{request.url.scheme}://{request.url.netloc}"
        body = DocumentMade(
            id=made.id,
            key=made.key,
            url=f"{base}/d/{made.id}",
            events=f"{base}/api/documents/{made.id}/events",
        )
        return await self._created_headers(request, _json(body, 201), made, {})

    async def _created_headers(
        self, request: Request, response: Response, made: Made, more: dict[str, str]
    ) -> Response:
        path = f"/api/documents/{made.id}"
        response.headers.update({"Location": path, "Cache-Control": "no-store"} | more)
        secure = (self.settings.gateway.public_url or str(request.url)).startswith("https:")
        keep(response, made.id, made.key, secure=secure)
        await self.library.own(recognised(request, response, secure=secure), made.id)
        return response


def _document_id(request: Request) -> str:
    id_: str = request.path_params["id"]
    if not _ID.match(id_):
        raise _no_document()
    return id_


async def _gone(request: Request) -> None:
    """Wait until the client has closed its connection. The body has been read: nothing else comes."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _no_document() -> Problem:
    return Problem(404, "There is no such document.")


async def _json_body(request: Request) -> bytes:
    """Problem 415 where the body says that it is something else; who says nothing means JSON."""
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().casefold()
    if media_type != JSON:
        raise Problem(415, f"Send {JSON}, not {media_type}.")
    return await _body(request)


async def _body(request: Request, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The whole body; 413 as soon as it is known to be too large."""
    if int(request.headers.get("content-length") or 0) > bytes_max:
        raise Problem(413, f"At most {bytes_max} bytes.")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise Problem(413, f"At most {bytes_max} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)
