"""The bus goes away under a gateway, and comes back."""

from __future__ import annotations

import asyncio

import httpx2

from schemas.cells import text_of
from services.shared.provision import provision
from tests.integration.conftest import BusFactory, NatsServer
from tests.integration.gateways import GatewayProcess, write_cell
from tests.system import Viewer, create, sections


async def test_an_open_stream_survives_a_restart_of_the_bus(
    client: httpx2.AsyncClient, bus: BusFactory, server: NatsServer
) -> None:
    made = await create(client, brief="B", outline=sections(1, summary=False))
    viewer = Viewer(client, made["id"])
    writer = await bus("operator")
    back = asyncio.Event()

    async def is_back() -> None:
        back.set()

    writer.on_reconnected(is_back)
    async with asyncio.timeout(40):
        async for type_, _ in viewer.events():
            if type_ == "snapshot":
                server.kill()
                await asyncio.to_thread(server.start)
                await back.wait()
                await provision(writer)  # The conductor's part.
                await write_cell(writer, made["id"], "part-1", "After the restart.")
            if type_ == "CellCompleted":
                break
    assert viewer.document is not None
    assert text_of(viewer.document.cells, "part-1") == "After the restart."


async def test_while_the_bus_is_away_a_change_is_answered_with_try_again(
    house: GatewayProcess, server: NatsServer
) -> None:
    made = await create(house.client, brief="B")
    key = {"Authorization": f"Bearer {made['key']}"}
    server.kill()
    async with asyncio.timeout(15):
        response = await house.client.post(f"/api/documents/{made['id']}/stop", headers=key)
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "1"
    assert (await house.client.get("/readyz")).status_code == 503
    assert (await house.client.get("/healthz")).status_code == 200
