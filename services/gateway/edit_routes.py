"""The calls that change a document, look back at its past, and estimate: each reads a request, asks, and answers."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, get_args

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from schemas.citations import MARKER, cited
from schemas.document import Document
from schemas.edit_requests import (
    CellPut,
    ColumnPut,
    DocumentPatch,
    Edited,
    Estimated,
    History,
    Logged,
    OfferPost,
    OutlinePut,
    RestorePost,
    RewritePost,
    SectionPatch,
    SectionPost,
    SectionPut,
    SourcePost,
    UpdatePost,
)
from schemas.edits import free_source_id
from schemas.estimates import cells_of, estimate, unplanned
from schemas.events import AnyEdit, DocumentRestored
from schemas.requests import DocumentAsked, SourceAsked
from schemas.values import SOURCE_BYTES_MAX, Cause, Citation
from services.gateway import changes, history
from services.gateway.access import Access
from services.gateway.creating import Creating, imagined
from services.gateway.editing import Editing, Make, Wish
from services.gateway.history import Written
from services.gateway.hub import Hubs
from services.gateway.library import Library, owner_of
from services.gateway.problems import FieldError, Problem, decoded
from services.gateway.watch_routes import watched_by
from services.shared.bus import Bus
from services.shared.figures import figures_of
from services.shared.settings import Settings
from services.shared.sources import SourceStore
from services.shared.watches import WatchStore

JSON = "application/json"
BODY_BYTES_MAX = 4 * 1024 * 1024
WHO_CHARACTERS_MAX = 300
LOG_FACTS_MAX = 100_000
HISTORY_MAX = 1_000
_ID = re.compile(r"^[0-9a-f]{32}$")
_SEQUENCE = re.compile(r"^\d{1,18}$")

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class EditFace:
    """The handlers."""

    def __init__(  # noqa: PLR0913 -- the parts, by name
        self,
        *,
        bus: Bus,
        settings: Settings,
        access: Access,
        creating: Creating,
        store: SourceStore,
        hubs: Hubs,
        library: Library,
    ) -> None:
        self._access = access
        self._creating = creating
        self._store = store
        self._watches = WatchStore(bus)
        self._hubs = hubs
        self._library = library
        self._providers = settings.providers
        self._editing = Editing(bus, hubs, figures_of(settings))

    def routes(self) -> list[Route]:
        """Where they are."""
        document = "/api/documents/{id}"
        section, cell = f"{document}/sections/{{section}}", f"{document}/cells/{{cell}}"
        column, source = f"{section}/columns/{{column}}", f"{document}/sources/{{source}}"
        calls: list[tuple[str, str, Handler]] = [
            ("POST", "/api/documents/estimate", self.estimate),
            ("POST", f"{document}/estimate", self.estimate_outline),
            ("PATCH", document, self._edits(DocumentPatch, self._describe, _described)),
            ("PUT", f"{document}/outline", self._edits(OutlinePut, lambda _r, d, b: changes.outline(d, b), _outline)),
            (
                "POST",
                f"{document}/sections",
                self._edits(SectionPost, lambda _r, d, b: changes.add_section(d, b), _outline),
            ),
            (
                "PATCH",
                section,
                self._edits(SectionPatch, lambda r, d, b: changes.change_section(d, _at(r, "section"), b), _section),
            ),
            (
                "PUT",
                section,
                self._edits(SectionPut, lambda r, d, b: changes.put_section(d, _at(r, "section"), b), _section),
            ),
            (
                "DELETE",
                section,
                self._edits(None, lambda r, d, _b: changes.remove_section(d, _at(r, "section")), _section),
            ),
            (
                "PUT",
                column,
                self._edits(
                    ColumnPut, lambda r, d, b: changes.put_column(d, _at(r, "section"), _at(r, "column"), b), _section
                ),
            ),
            (
                "DELETE",
                column,
                self._edits(
                    None, lambda r, d, _b: changes.remove_column(d, _at(r, "section"), _at(r, "column")), _section
                ),
            ),
            ("PUT", cell, self.write_cell),
            ("POST", f"{cell}/rewrite", self.rewrite),
            (
                "POST",
                f"{cell}/accept",
                self._edits(OfferPost, lambda r, d, b: changes.accept(d, _at(r, "cell"), b), _cell),
            ),
            (
                "POST",
                f"{cell}/decline",
                self._edits(OfferPost, lambda r, d, b: changes.decline(d, _at(r, "cell"), b), _cell),
            ),
            ("POST", f"{cell}/lock", self._edits(None, lambda r, d, _b: changes.lock(d, _at(r, "cell")), _cell)),
            ("POST", f"{cell}/unlock", self._edits(None, lambda r, d, _b: changes.unlock(d, _at(r, "cell")), _cell)),
            ("POST", f"{document}/sources", self.add_source),
            ("PUT", source, self.replace_source),
            ("DELETE", source, self.remove_source),
            ("POST", f"{document}/update", self._edits(UpdatePost, lambda _r, d, b: changes.update(d, b), None)),
            ("POST", f"{document}/restore", self.restore),
            ("GET", f"{document}/history", self.history),
            ("GET", f"{document}/compare", self.compare),
            ("GET", f"{document}/log", self.log),
        ]
        return [Route(path, handler, methods=[method]) for method, path, handler in calls]

    # -- Edits ----------------------------------------------------------------------------------------------------------

    def _edits(
        self,
        body_type: type[T] | None,
        make: Callable[[Request, Document, Any], list[Any]],
        current: Callable[[Request, Document], Any] | None,
    ) -> Handler:
        """A handler of a call that is one edit and no more."""

        async def handler(request: Request) -> Response:
            id_ = await self._document(request)
            body = None if body_type is None else decoded(await _body(request) or b"{}", body_type)
            return await self._answer(request, id_, lambda document: make(request, document, body), current)

        return handler

    async def _answer(
        self,
        request: Request,
        id_: str,
        make: Make,
        current: Callable[[Request, Document], Any] | None = None,
        **more: str,
    ) -> Response:
        def now(document: Document) -> Any:  # noqa: ANN401 -- whatever the call is about
            return None if current is None else current(request, document)

        done = await self._editing.edit(id_, _wish(request), make, now)
        if isinstance(done, Edited):
            return _json(replace(done, **more), {"ETag": f'"{done.sequence}"'})
        return _json(done)

    def _describe(self, _request: Request, document: Document, body: DocumentPatch) -> list[Any]:
        return changes.describe(document, body, self._providers)

    async def write_cell(self, request: Request) -> Response:
        """Text by hand, its citations checked like a model's."""
        id_, cell = await self._document(request), _at(request, "cell")
        body = decoded(await _body(request), CellPut)
        citations = await self._citations(id_, body.text)
        return await self._answer(
            request, id_, lambda document: changes.write_cell(document, cell, body, citations), _cell
        )

    async def rewrite(self, request: Request) -> Response:
        """Once more."""
        id_, cell, salt = await self._document(request), _at(request, "cell"), secrets.token_hex(8)
        body = decoded(await _body(request) or b"{}", RewritePost)
        return await self._answer(
            request, id_, lambda document: changes.rewrite(document, cell, body, salt, self._providers), _cell
        )

    async def restore(self, request: Request) -> Response:
        """What it was at an earlier moment. Texts come from the log."""
        id_ = await self._document(request)
        to = decoded(await _body(request), RestorePost).to
        then = await self._moment(id_, to, "/to")

        def make(document: Document) -> list[AnyEdit]:
            parts = history.restoring(document, then)
            return [DocumentRestored(at_ms=0, to=to, edits=tuple(parts))] if parts else []

        return await self._answer(request, id_, make)

    # -- Sources --------------------------------------------------------------------------------------------------------

    async def add_source(self, request: Request) -> Response:
        """One more; its bytes are kept before the log knows of it."""
        id_ = await self._document(request)
        body = decoded(await _body(request, SOURCE_BYTES_MAX + BODY_BYTES_MAX), SourcePost)
        document = await self._now(id_)
        source = free_source_id(document)
        given = await self._creating.give(id_, source, body)

        def make(document: Document) -> list[Any]:
            if source in document.sources:  # Somebody else took the number.
                raise Problem(409, "Another source was added in the same moment; please try again.")
            return changes.add_source(document, given, body.before)

        return await self._answer(request, id_, make, source=source)

    async def replace_source(self, request: Request) -> Response:
        """Other bytes under the same id; those of before stay, for the history."""
        id_, source = await self._document(request), _at(request, "source")
        body = decoded(await _body(request, SOURCE_BYTES_MAX + BODY_BYTES_MAX), SourceAsked)
        if source not in (await self._now(id_)).sources:
            raise Problem(404, f"There is no source {source!r}.")
        await self._refuse_watched(id_, source)
        given = await self._creating.give(id_, source, body)
        return await self._answer(request, id_, lambda document: changes.replace_source(document, given))

    async def remove_source(self, request: Request) -> Response:
        """One fewer."""
        id_, source = await self._document(request), _at(request, "source")
        await self._refuse_watched(id_, source)
        return await self._answer(request, id_, lambda document: changes.remove_source(document, source))

    async def _refuse_watched(self, id_: str, source: str) -> None:
        """Problem 409 for a source that follows a watch: the watch would have it back at once."""
        watch = watched_by(await self._now(id_), await self._watches.of(id_), source)
        if watch is not None:
            raise Problem(409, f"The source {source!r} follows {watch.called}; end the watch {watch.id} first.")

    async def _citations(self, id_: str, text: str) -> tuple[Citation, ...]:
        document = await self._now(id_)
        passages: dict[tuple[str, int], str] = {}
        for source in {match["source"] for match in MARKER.finditer(text)} & document.sources.keys():
            found = await self._store.get_passages(id_, source, document.sources[source].given.digest)
            passages |= {(source, one.number): one.text for one in (found.passages if found is not None else ())}
        return cited(text, lambda source, number: passages.get((source, number)))

    # -- Before -----------------------------------------------------------------------------------------------------------

    async def estimate(self, request: Request) -> Response:
        """What a new document would come to."""
        wanted = decoded(await _body(request, SOURCE_BYTES_MAX + BODY_BYTES_MAX), DocumentAsked)
        template = wanted.template and await self._library.template(owner_of(request), wanted.template)
        document = imagined(wanted, self._providers, template or None)
        planned = document if document.outline else replace(document, outline=unplanned())
        cells = cells_of(planned)
        return _json(Estimated(cells=cells, estimate=estimate(planned, cells, self._editing.figures)))

    async def estimate_outline(self, request: Request) -> Response:
        """What writing all of this outline would come to, from the sources that the document has."""
        document = await self._now(_id(request))
        asked = decoded(await _body(request), OutlinePut)
        planned = replace(document, outline=asked.sections)
        cells = cells_of(planned)
        return _json(Estimated(cells=cells, estimate=estimate(planned, cells, self._editing.figures)))

    # -- Past -----------------------------------------------------------------------------------------------------------

    async def moment(self, id_: str, request: Request) -> Document:
        """The document as it was when its log ended at `?at=`. Problem 400 for what is no moment of it."""
        at = request.query_params["at"]
        if not _SEQUENCE.match(at):
            changes.refuse("at", "A sequence of the document's log: a whole number.", 400)
        return await self._moment(id_, int(at), "at")

    async def history(self, request: Request) -> Response:
        """Every edit, with what it touched."""
        id_ = _id(request)
        log = await self._editing.log(id_)
        if log.earliest is None:
            raise _absent()
        # Not on the loop, which has viewers to serve.
        found = await asyncio.to_thread(history.changes, id_, log)
        return _json(History(changes=tuple(found[:HISTORY_MAX]), earliest=log.earliest, latest=log.latest))

    async def compare(self, request: Request) -> Response:
        """Two moments; without `to`, one and now."""
        id_ = _id(request)
        asked = {name: request.query_params.get(name) for name in ("from", "to")}
        for name, value in asked.items():
            if value is not None and not _SEQUENCE.match(value):
                changes.refuse(name, "A sequence of the document's log: a whole number.", 400)
        if asked["from"] is None:
            changes.refuse("from", "Say from which moment on: ?from=SEQUENCE.", 400)
        before = await self._moment(id_, int(asked["from"]), "from")
        after = await self._now(id_) if asked["to"] is None else await self._moment(id_, int(asked["to"]), "to")
        return _json(history.compare(before, after))

    async def log(self, request: Request) -> Response:
        """The facts, one a line."""
        id_ = _id(request)
        values = {name: request.query_params.get(name, "0") for name in ("after", "limit")}
        for name, value in values.items():
            if not _SEQUENCE.match(value):
                changes.refuse(name, "A whole number.", 400)
        await self._now(id_)
        limit = int(values["limit"]) or LOG_FACTS_MAX
        lines = self._lines(self._editing.facts(id_, int(values["after"])), min(limit, LOG_FACTS_MAX))
        return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-cache"})

    async def _lines(self, facts: AsyncIterator[Written], limit: int) -> AsyncIterator[bytes]:
        count = 0
        async for sequence, fact in facts:
            yield msgspec.json.encode(Logged(sequence=sequence, fact=fact)) + b"\n"
            count += 1
            if count >= limit:
                return

    async def _moment(self, id_: str, at: int, pointer: str) -> Document:
        log = await self._editing.log(id_)
        if log.earliest is None:
            raise _absent()
        if at > log.latest:
            changes.refuse(pointer, f"Its log ends at {log.latest}.", 400)
        if at < log.earliest and log.base is not None:
            detail = f"What was before {log.earliest} was removed, as it is old: that is the earliest moment that can be read."
            raise Problem(410, f"{pointer}: {detail}", [FieldError(pointer, detail)], {"earliest": log.earliest})
        found = await asyncio.to_thread(history.moment, id_, log, at)
        if found is None:
            changes.refuse(pointer, f"It was made at {log.earliest}.", 400)
        return found

    async def _now(self, id_: str) -> Document:
        hub, unuse = await self._hubs.use(id_)
        try:
            if hub.document is None:
                raise _absent()
            return hub.document
        finally:
            unuse()

    async def _document(self, request: Request) -> str:
        """The document that may be changed by whoever asks."""
        id_ = _id(request)
        await self._access.check(request, id_)
        return id_


def _wish(request: Request) -> Wish:
    cause, who = request.headers.get("scriptorium-cause", "reader"), _name(request.headers.get("scriptorium-who", ""))
    if cause not in get_args(Cause):
        changes.refuse("Scriptorium-Cause", f"One of {', '.join(get_args(Cause))}.", 400)
    if len(who) > WHO_CHARACTERS_MAX:
        changes.refuse("Scriptorium-Who", f"At most {WHO_CHARACTERS_MAX} characters.", 400)
    preview = request.query_params.get("preview", "false")
    if preview not in {"true", "false"}:
        changes.refuse("preview", "true or false.", 400)
    return Wish(msgspec.convert(cause, Cause), who, request.headers.get("if-match"), preview == "true")


def _name(header: str) -> str:
    """In UTF-8, where it is that: a header's bytes come as Latin-1 (WSGI's and ASGI's way)."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


# -- What a refusal 412 shows: what was to be changed, as it is now ----------------------------------------------------------


def _described(_request: Request, document: Document) -> dict[str, Any]:
    return {"title": document.title, "brief": document.brief, "policy": document.policy}


def _outline(_request: Request, document: Document) -> dict[str, Any]:
    return {"sections": document.outline}


def _section(request: Request, document: Document) -> object:
    return next((section for section in document.outline if section.id == _at(request, "section")), None)


def _cell(request: Request, document: Document) -> object:
    return document.cells.get(_at(request, "cell"))


def _at(request: Request, name: str) -> str:
    return str(request.path_params[name])


def _id(request: Request) -> str:
    id_ = _at(request, "id")
    if not _ID.match(id_):
        raise _absent()
    return id_


def _absent() -> Problem:
    return Problem(404, "There is no such document.")


async def _body(request: Request, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Problem 415 where the body says that it is something else; 413 as soon as it is known to be too large."""
    media_type = request.headers.get("content-type", JSON).partition(";")[0].strip().casefold()
    if media_type != JSON:
        raise Problem(415, f"Send {JSON}, not {media_type}.")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise Problem(413, f"At most {bytes_max} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _json(value: object, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), 200, headers, media_type=JSON)
