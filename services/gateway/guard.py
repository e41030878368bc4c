"""Whose pages may change anything: this site's own. Programs send neither header, and need a key instead. Pure ASGI."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.problems import problem_response

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN = frozenset({"same-origin", "none"})


class OwnPagesOnly:
    """Refuses what another site's page sends: creating a document needs no key, and costs money."""

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self._app = app
        self._public_host = urlsplit(public_url).netloc if public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """403 for a foreign page's POST, PUT, PATCH or DELETE."""
        if scope["type"] == "http" and scope["method"] not in SAFE and not self._is_own(Headers(scope=scope)):
            answer = problem_response(403, "Pages of another site may not change anything here.")
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        # Browsers tell the site on https and on this machine (Fetch Metadata), and the origin of every POST (RFC 6454).
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site in OWN
        return origin is None or urlsplit(origin).netloc in {headers.get("host"), self._public_host}
