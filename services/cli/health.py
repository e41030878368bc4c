"""Whether a service that runs on this machine is well: `scriptorium health <service>`, for containers (Linux).

The gateway and the simulator are asked over HTTP. The others speak only to the bus, and are well when each such process
holds an established connection to it: a service that hangs does not answer the bus's pings, and is disconnected after
three of them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2

from services.cli.options import Part
from services.shared.settings import Settings

ESTABLISHED: Final = "01"
OK: Final = 200
TIMEOUT_S: Final = 3.0
NATS_PORT: Final = 4222
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def ailing(part: Part, settings: Settings) -> str | None:
    """What is wrong with a part; None when it is well."""
    match part:
        case "nats":
            return _greeting(settings.bus.url)
        case "gateway":
            return _unanswered(settings.gateway.host, settings.gateway.port, "/readyz")
        case "simulator":
            return _unanswered(settings.simulator.host, settings.simulator.port, "/healthz")
        case _:
            return _disconnected(part, settings.bus.url)


def _greeting(url: str) -> str | None:
    # The bus greets whoever connects (NATS client protocol, INFO).
    address = urlsplit(url)
    try:
        with socket.create_connection((address.hostname, address.port or NATS_PORT), TIMEOUT_S) as connection:
            greeting = connection.recv(5)
    except OSError as error:
        return f"{url} does not answer: {error}"
    return None if greeting == b"INFO " else f"{url} is no bus"


def _unanswered(host: str, port: int, path: str) -> str | None:
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 -- what a service listens on
    url = f"http://{near}:{port}{path}"
    try:
        response = httpx2.get(url, timeout=TIMEOUT_S, trust_env=False)
    except httpx2.HTTPError as error:
        return f"{url} does not answer: {error}"
    return None if response.status_code == OK else f"{url} answers {response.status_code}: {response.text}"


def _disconnected(service: str, url: str) -> str | None:
    pids = list(_processes(service, url))
    if not pids:
        return f"no {service} runs here"
    connected = _connected(urlsplit(url).port or NATS_PORT)
    for pid in pids:
        if not connected & _sockets(pid):
            return f"{service} (process {pid}) is not connected to the bus"
    return None


def _processes(service: str, url: str) -> Iterator[int]:
    """Python processes that run this service, whether as a module or by the command line, for the bus at `url`."""
    wanted = (f" services.{service} ", f" scriptorium {service} ")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            environment = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # Gone in the meantime, or somebody else's.
        interpreter, *words = [Path(word).name for word in command.split("\0")]
        # A container's init has the same words, and is no Python.
        if not interpreter.startswith("python") or not any(name in f" {' '.join(words)} " for name in wanted):
            continue
        told = next((entry for entry in environment if entry.startswith("SCRIPTORIUM_BUS__URL=")), None)
        if told is None or told.partition("=")[2] == url:
            yield int(folder.name)


def _connected(port: int) -> frozenset[str]:
    """Inodes of established connections to a port, in any address family (proc(5), /proc/net/tcp)."""
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            _, _, remote, state, *rest = line.split()
            if state == ESTABLISHED and int(remote.rsplit(":", 1)[1], 16) == port:
                found.add(rest[5])
    return frozenset(found)


def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            link = str(descriptor.readlink())
        except OSError:
            continue
        match = _SOCKET.fullmatch(link)
        if match:
            found.add(match[1])
    return found
