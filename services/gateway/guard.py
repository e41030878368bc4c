"""Who may ask: under a name that is ours; and change anything: this site's own pages. Programs need a key instead. Pure ASGI."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.problems import problem_response

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN = frozenset({"same-origin", "none"})


class OwnNamesOnly:
    """Refuses requests for a host that is not ours: a name of somebody else's that was made to lead here (DNS rebinding).

    To its browser such a page is of our site, and could read and change what it likes. An address is no name, and cannot be rebound.
    """

    def __init__(self, app: ASGIApp, public_url: str | None, hosts: Iterable[str]) -> None:
        self._app = app
        named = urlsplit(public_url).hostname if public_url else None
        self._names = {"localhost", *(host.casefold().rstrip(".") for host in hosts), *([named] if named else [])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """400 without a host (RFC 9112 §3.2), 421 for another's (RFC 9110 §15.5.20)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).getlist("host")
        name = _name(asked[0]) if len(asked) == 1 else None
        if name is None:
            await problem_response(400, "A request needs one Host header, with one name in it.")(scope, receive, send)
        elif not self._is_own(name):
            detail = (
                f"This is not {name}. If it shall be, name it in the setting gateway.hosts, or in gateway.public_url."
            )
            await problem_response(421, detail)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_own(self, name: str) -> bool:
        return name in self._names or name.endswith(".localhost") or _is_address(name)


def _name(host: str) -> str | None:
    """Without port, brackets and a last dot; None where it is no host."""
    try:
        split = urlsplit(f"//{host}")
        _ = split.port  # Raises where it is none.
    except ValueError:
        return None
    if split.netloc != host or "@" in host or not split.hostname:
        return None
    return split.hostname.rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


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
