"""The built page and its headers: nothing from elsewhere, no inline script, no markup made from strings."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE = Path(__file__).with_name("page")
DEMOS = Path(__file__).with_name("demo")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ENCODED = {name.lower().encode(): value.encode() for name, value in HEADERS.items()}
_EMBEDDED = {
    name: value.replace(b"frame-ancestors 'none'", b"frame-ancestors *")
    for name, value in _ENCODED.items()
    if name not in {b"cross-origin-opener-policy", b"cross-origin-resource-policy"}
}
"""Of the one page that other sites may show in a frame: there is nothing on it that changes anything."""
EMBEDDED = "/embed/"


class SecurityHeaders:
    """Pure ASGI: a middleware that wraps requests would cost every event of every viewer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to each response's start; one that has a policy of its own keeps it."""
        headers = _EMBEDDED if scope.get("path", "").startswith(EMBEDDED) else _ENCODED

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                missing = [item for item in headers.items() if item[0] not in own]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def page(name: str = "index") -> Response:
    """The page, whatever its path: it reads the path itself. `control` is the control room's."""
    file = PAGE / f"{name}.html"
    if not file.exists():
        return PlainTextResponse("The page is not built: make setup\n", 503)
    return FileResponse(file, headers={"Cache-Control": "no-cache"})
