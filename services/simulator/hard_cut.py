"""A connection that can be reset, and one whose vanished peer is noticed: what ASGI has no words for."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION: Final = "scriptorium.reset"
LINGER_ZERO: Final = struct.pack("ii", 1, 0)
VANISHED_AFTER_MS: Final = 5_000


class ResettableProtocol(HttpToolsProtocol):
    """Puts `reset` into each request's `scope["extensions"]`."""

    def on_message_begin(self) -> None:
        """Begin a request's scope."""
        super().on_message_begin()
        # uvicorn's type of a scope has only the extensions that ASGI names.
        scope: Any = self.scope
        scope["extensions"] = {EXTENSION: self.reset}

    def reset(self) -> None:
        """Close the connection so that the peer sees a reset: closing with a linger time of zero sends RST."""
        connection = self.transport.get_extra_info("socket")
        with socket.socket(fileno=socket.dup(connection.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.transport.abort()


def resetter(scope: Any) -> Callable[[], None] | None:  # noqa: ANN401 -- an ASGI scope
    """What resets the connection of this request; None under a server without the protocol above."""
    return scope.get("extensions", {}).get(EXTENSION)


def listening(host: str, port: int) -> socket.socket:
    """A listening socket whose accepted connections notice a vanished peer within seconds. Port 0: any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_AFTER_MS)
        listener.bind((host, port))
        listener.listen(1_024)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
