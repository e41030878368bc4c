"""Letting others change a document: a key for each link, made once, shown once, and taken back all together.

A link for editing is `/d/<id>#key=…`. What stands behind # stays in the browser: it is in no request, no log and no referrer. The
page removes it from the address bar and hands it over once, by POST, for a cookie that no script can read.
See docs/adr/0019-a-key-behind-the-hash.md.
"""

from __future__ import annotations

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.requests import KeyMade, RightsShown
from services.gateway.access import Access, keep, presented
from services.gateway.library import Library, recognised
from services.gateway.problems import Problem

JSON = "application/json"
NO_STORE = {"Cache-Control": "no-store"}
_ID = re.compile(r"^[0-9a-f]{32}$")


class ShareFace:
    """The handlers."""

    def __init__(self, access: Access, library: Library, public_url: str | None) -> None:
        self._access = access
        self._library = library
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Where they are."""
        document = "/api/documents/{id}"
        return [
            Route(f"{document}/key", self.rights, methods=["GET"]),
            Route(f"{document}/key", self.enter, methods=["POST"]),
            Route(f"{document}/keys", self.pass_on, methods=["POST"]),
            Route(f"{document}/keys", self.take_back, methods=["DELETE"]),
        ]

    async def rights(self, request: Request) -> Response:
        """Whether whoever asks may change it: so that a page shows no button that is refused."""
        shown = RightsShown(may_change=await self._access.may_change(request, _document(request)))
        return Response(msgspec.json.encode(shown), media_type=JSON, headers=NO_STORE)

    async def enter(self, request: Request) -> Response:
        """The key that was given becomes this browser's, and the document one of its library."""
        id_ = _document(request)
        await self._access.check(request, id_)
        key = presented(request) or ""  # It was checked.
        secure = (self._public_url or str(request.url)).startswith("https:")
        response = Response(status_code=204, headers=NO_STORE)
        keep(response, id_, key, secure=secure)
        await self._library.own(recognised(request, response, secure=secure), id_)
        return response

    async def pass_on(self, request: Request) -> Response:
        """One more key."""
        made = KeyMade(key=await self._access.pass_on(request, _document(request)))
        return Response(msgspec.json.encode(made), 201, media_type=JSON, headers=NO_STORE)

    async def take_back(self, request: Request) -> Response:
        """The links that were given lead to reading from now on."""
        await self._access.take_back(request, _document(request))
        return Response(status_code=204)


def _document(request: Request) -> str:
    id_: str = request.path_params["id"]
    if not _ID.match(id_):
        raise Problem(404, "There is no such document.")
    return id_
