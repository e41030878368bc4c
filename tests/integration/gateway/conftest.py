"""One bus and one gateway for all tests of a module: they break neither, and look only at documents of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from services.shared.bus import connect
from services.shared.provision import provision
from services.shared.settings import BusSettings
from tests.integration.conftest import NatsServer
from tests.integration.gateways import GatewayProcess, Started, gateway_client, gateway_running


@pytest.fixture(scope="module")
def standing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A bus with every stream and bucket."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    try:
        asyncio.run(_provisioned(server.url))
        yield server
    finally:
        server.kill()


async def _provisioned(url: str) -> None:
    bus = await connect(BusSettings(url=url), "operator")
    await provision(bus)
    await bus.close()


@pytest.fixture(scope="module")
def standing_gateway(standing_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A gateway on it."""
    with gateway_running(standing_server.url, tmp_path_factory.mktemp("gateway")) as started:
        yield started


@pytest.fixture
def nats_server(standing_server: NatsServer) -> str:
    """Where `bus` connects to."""
    return standing_server.url


@pytest.fixture
async def house(standing_gateway: Started) -> AsyncIterator[GatewayProcess]:
    """The gateway, and a client of this test's own."""
    async with gateway_client(standing_gateway) as process:
        yield process
