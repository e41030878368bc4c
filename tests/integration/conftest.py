"""A real nats-server for each test, on a port and in a directory of its own, and connections to it."""

from __future__ import annotations

import re
import subprocess
import sysconfig
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from schemas import streams
from schemas.subjects import ServiceName
from services.shared.bus import Bus, connect
from services.shared.provision import provision
from services.shared.settings import BusSettings
from tests.integration.gateways import GatewayProcess, gateway_process

BINARY = Path(sysconfig.get_path("scripts")) / "nats-server"
LISTENING = re.compile(r"Listening for client connections on 127\.0\.0\.1:(\d+)")
END_S = 5.0
CONFIG = """
listen: "127.0.0.1:{port}"
max_payload: {max_payload}
jetstream {{ store_dir: "{store}", max_file_store: {file}, max_memory_store: {memory} }}
"""

BusFactory = Callable[[ServiceName], Awaitable[Bus]]


class NatsServer:
    """A nats-server process; it keeps its port and its store over a restart."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = -1  # The first start picks a free one.
        self._process: subprocess.Popen[str] | None = None
        self.lines: deque[str] = deque(maxlen=200)
        """What it logged last."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Return once it is ready."""
        config = self._directory / "nats.conf"
        text = CONFIG.format(
            port=self._port,
            max_payload=streams.MESSAGE_BYTES_MAX,
            store=self._directory / "store",
            file=streams.FILE_STORE_BYTES_MAX,
            memory=streams.MEMORY_STORE_BYTES_MAX,
        )
        config.write_text(text)
        self._process = subprocess.Popen(  # noqa: S603 -- our own binary
            [str(BINARY), "--config", str(config)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line)
            if found := LISTENING.search(line):
                self._port = int(found[1])
            if "Server is ready" in line:
                break
        else:
            raise AssertionError("".join(self.lines))
        threading.Thread(target=self.lines.extend, args=(self._process.stderr,), daemon=True).start()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_S)
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A running nats-server that the test may kill and start again."""
    directory = tmp_path / "nats"
    directory.mkdir()
    server = NatsServer(directory)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def nats_server(server: NatsServer) -> str:
    """The URL of a running nats-server."""
    return server.url


@pytest.fixture
async def bus(nats_server: str) -> AsyncIterator[BusFactory]:
    """Connect as a service; every stream and bucket is there."""
    buses: list[Bus] = []

    async def connected(service: ServiceName = "operator") -> Bus:
        made = await connect(BusSettings(url=nats_server), service)
        if not buses:
            await provision(made)
        buses.append(made)
        return made

    yield connected
    for made in reversed(buses):
        await made.close()


@pytest.fixture
async def house(bus: BusFactory, nats_server: str, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    """A gateway; the bus fixture has made the streams."""
    await bus("operator")
    async with gateway_process(nats_server, tmp_path) as process:
        yield process


@pytest.fixture
def client(house: GatewayProcess) -> httpx2.AsyncClient:
    """An HTTP client of it."""
    return house.client
