"""Watches over HTTP: folders and addresses that a document follows by itself, and the webhook that says 'this changed'."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas import subjects
from schemas.document import Document
from schemas.watches import (
    ALL_FILES,
    WATCHES_MAX,
    AddressWatched,
    FoldersOffered,
    FolderWatched,
    Watch,
    WatchAsked,
    Watched,
    WatchesShown,
    WatchShown,
    sources_of,
    watch_id,
)
from services.gateway.access import Access
from services.gateway.hub import Hubs
from services.gateway.problems import FieldError, Problem, decoded
from services.shared.bus import Bus
from services.shared.clock import monotonic_ms, now_ms
from services.shared.fetching.fetch import Fetcher, FetchError
from services.shared.settings import Settings
from services.shared.watches import Kept, WatchStore

HOOKS_PER_MINUTE_MAX = 60
"""Of one watch, at one gateway. Who says it more often is heard no better."""
HOOKS_KNOWN_MAX = 10_000
MINUTE_MS = 60_000
HOOK_BYTES_MAX = 32 * 1024 * 1024
"""What comes with a webhook is read to its end and thrown away; GitHub sends up to 25 MB."""
NONCE_BYTES = 16
_TOKEN = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{32}")

Body = Callable[[Request], Awaitable[bytes]]


class WatchFace:
    """Handlers, each reads a request, asks, and answers."""

    def __init__(  # noqa: PLR0913 -- the parts, by name
        self,
        *,
        bus: Bus,
        settings: Settings,
        access: Access,
        hubs: Hubs,
        store: WatchStore,
        fetcher: Fetcher,
        body: Body,
    ) -> None:
        self._bus = bus
        self._folders = tuple(sorted(settings.watcher.folders))
        self._public_url = settings.gateway.public_url
        self._access = access
        self._hubs = hubs
        self._store = store
        self._fetcher = fetcher
        self._body = body
        self._heard: OrderedDict[str, list[float]] = OrderedDict()

    def routes(self) -> list[Route]:
        """Where they are."""
        watches = "/api/documents/{id}/watches"
        return [
            Route("/api/folders", self.folders, methods=["GET"]),
            Route(watches, self.list, methods=["GET"]),
            Route(watches, self.add, methods=["POST"]),
            Route(f"{watches}/{{watch}}", self.end, methods=["DELETE"]),
            Route("/api/hooks/{token}", self.hook, methods=["POST"]),
        ]

    async def folders(self, _request: Request) -> Response:
        """Names; where they are is nobody's business."""
        return _json(FoldersOffered(folders=self._folders))

    async def list(self, request: Request) -> Response:
        """Who may read the document may see what it follows; the webhooks' addresses are for whoever has its key."""
        document = await self._document(request)
        secret = await self._access.secret() if await self._access.may_change(request, document.id) else None
        found = await self._store.of(document.id)
        shown = tuple(self._shown(request, document, kept.watch, secret) for kept in found)
        return _json(WatchesShown(watches=shown))

    async def add(self, request: Request) -> Response:
        """201; what there is to see comes with the document's next events."""
        document = await self._document(request)
        await self._access.check(request, document.id)
        wanted = decoded(await self._body(request), WatchAsked)
        kept = await self._store.of(document.id)
        what = await self._what(document, wanted, kept)
        if len(kept) >= WATCHES_MAX:
            raise Problem(422, f"A document may have {WATCHES_MAX} watches.")
        secret, nonce = await self._access.secret(), secrets.token_hex(NONCE_BYTES)
        id_ = watch_id(_token(secret, nonce))
        watch = Watch(id=id_, document=document.id, what=what, made_at_ms=now_ms(), nonce=nonce)
        await self._store.make(watch)
        location = {"Location": f"/api/documents/{document.id}/watches/{id_}"}
        return _json(self._shown(request, document, watch, secret), 201, location)

    async def end(self, request: Request) -> Response:
        """204; the sources stay as they are."""
        document = await self._document(request)
        await self._access.check(request, document.id)
        watch: str = request.path_params["watch"]
        if not any(kept.watch.id == watch for kept in await self._store.of(document.id)):
            raise Problem(404, "There is no such watch.")
        await self._store.end(document.id, watch)
        return Response(status_code=204)

    async def hook(self, request: Request) -> Response:
        """202: it is written down that something has changed, and a watcher looks. Whatever the body says, it is not believed."""
        token: str = request.path_params["token"]
        await _drain(request)
        if not _TOKEN.fullmatch(token):
            raise _no_hook()
        id_ = watch_id(token)
        self._limit(id_)
        at_ms = now_ms()
        # Written down first: with no watcher there, nobody would hear the rest.
        if await self._store.tell(id_, at_ms) is None:
            raise _no_hook()
        await self._bus.client.publish(subjects.source_changed(id_), b"%d" % at_ms)
        return Response(b"{}", 202, media_type="application/json")

    # -- What is asked for ----------------------------------------------------------------------------------------------

    async def _what(self, document: Document, wanted: WatchAsked, kept: list[Kept]) -> Watched:
        """Problem 422 that names the field, 409 where it is watched already."""
        if wanted.folder is not None:
            if wanted.folder not in self._folders:
                offered = f"there are: {', '.join(self._folders)}" if self._folders else "none is configured here"
                raise _wrong("/folder", f"There is no folder {wanted.folder!r} to be watched; {offered}.")
            what: Watched = FolderWatched(folder=wanted.folder, glob=wanted.glob or ALL_FILES)
        else:
            url, source = wanted.url or "", wanted.source or ""
            try:
                await self._fetcher.check(url)
            except FetchError as error:
                raise _wrong("/url", str(error)) from None
            if source and source not in document.sources:
                raise _wrong("/source", f"There is no source {source!r}.")
            if source and watched_by(document, kept, source) is not None:
                raise Problem(409, f"The source {source!r} is watched already.")
            what = AddressWatched(url=url, source=source)
        if any(one.watch.what == what for one in kept):
            raise Problem(409, "That is watched already.")
        return what

    def _limit(self, watch: str) -> None:
        """Problem 429 for who says it too often."""
        now = monotonic_ms()
        heard = [at for at in self._heard.get(watch, ()) if now - at < MINUTE_MS]
        if len(heard) >= HOOKS_PER_MINUTE_MAX:
            after_s = int((MINUTE_MS - (now - heard[0])) / 1_000) + 1
            raise Problem(
                429,
                f"At most {HOOKS_PER_MINUTE_MAX} a minute; what was said is being looked at.",
                headers={"Retry-After": str(after_s)},
            )
        self._heard[watch] = [*heard, now]
        self._heard.move_to_end(watch)
        if len(self._heard) > HOOKS_KNOWN_MAX:
            self._heard.popitem(last=False)

    # -- What is answered -----------------------------------------------------------------------------------------------

    def _shown(self, request: Request, document: Document, watch: Watch, secret: bytes | None) -> WatchShown:
        base = self._public_url or f"{request.url.scheme}://{request.url.netloc}"
        state = watch.state
        return WatchShown(
            id=watch.id,
            what=watch.what,
            sources=tuple(source.given.id for source in sources_of(watch, document).values()),
            files=state.files,
            looked_at_ms=state.looked_at_ms,
            changed_at_ms=state.changed_at_ms,
            next_look_at_ms=state.next_look_at_ms,
            trouble=state.trouble,
            hook=None if secret is None else f"{base}/api/hooks/{_token(secret, watch.nonce)}",
        )

    async def _document(self, request: Request) -> Document:
        id_: str = request.path_params["id"]
        if not _ID.fullmatch(id_):
            raise Problem(404, "There is no such document.")
        hub, unuse = await self._hubs.use(id_)
        try:
            if hub.document is None:
                raise Problem(404, "There is no such document.")
            return hub.document
        finally:
            unuse()


def watched_by(document: Document, kept: list[Kept], source: str) -> Watch | None:
    """The watch that a source follows; None where it follows none."""
    for one in kept:
        if any(found.given.id == source for found in sources_of(one.watch, document).values()):
            return one.watch
    return None


def _token(secret: bytes, nonce: str) -> str:
    """A webhook's token: nowhere kept, made anew for whoever has the document's key."""
    return hmac.new(secret, f"hook:{nonce}".encode(), hashlib.sha256).hexdigest()


def _wrong(pointer: str, detail: str) -> Problem:
    return Problem(422, f"{pointer}: {detail}", [FieldError(pointer, detail)])


def _no_hook() -> Problem:
    return Problem(404, "There is no such webhook.")


async def _drain(request: Request) -> None:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > HOOK_BYTES_MAX:
            raise Problem(413, f"At most {HOOK_BYTES_MAX} bytes; none are needed.")


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    more = {"Cache-Control": "no-store"} | (headers or {})
    return Response(msgspec.json.encode(value), status, more, media_type="application/json")
