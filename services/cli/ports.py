"""Ports of this machine's loopback interface."""

from __future__ import annotations

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
_LOWEST = 15_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_FROM = 32_768
_TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port to listen on, now and after each restart.

    Not one that the system itself would choose: from that range it also takes the near ends of outgoing connections, and a
    client that keeps calling a server that is away ends up connected to itself, on the very port that the server needs.
    """
    for _ in range(_TRIES_MAX):
        port = random.randrange(_LOWEST, _ephemeral_from())  # noqa: S311 -- to be elsewhere than others, not secret
        if is_free(port):
            return port
    msg = f"no free port on {HOST}"
    raise OSError(msg)


def _ephemeral_from() -> int:
    try:
        first = int(_EPHEMERAL.read_text(encoding="ascii").split()[0])
    except OSError:
        return _EPHEMERAL_FROM
    return first if first > _LOWEST + _TRIES_MAX else _EPHEMERAL_FROM
