"""Whoever leaves is gone at once, however they came: by a look at the headers, by waiting, or because the gateway stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import streams, subjects
from services.shared.bus import Bus
from services.shared.log import read
from tests.integration.conftest import BusFactory
from tests.integration.gateways import GatewayProcess, gateway_process
from tests.system import Viewer, create, sections

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def house(bus: BusFactory, nats_server: str, tmp_path: Path) -> AsyncIterator[GatewayProcess]:
    await bus("operator")
    async with gateway_process(nats_server, tmp_path) as process:
        yield process


async def _kept(bus: Bus) -> list[bytes]:
    """What the bucket of leases holds, deletions' markers included."""
    subject = subjects.kv(subjects.VIEWERS)
    return [stored.data async for stored in read(bus.client, f"KV_{subjects.VIEWERS}", subject)]


async def _heard(bus: Bus, subject: str) -> asyncio.Queue[bytes]:
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Any) -> None:
        await queue.put(message.data)

    await bus.client.subscribe(subject, cb=hear)
    await bus.client.flush()
    return queue


async def test_a_look_at_the_headers_of_a_stream_gives_its_lease_back(house: GatewayProcess, bus: BusFactory) -> None:
    operator = await bus("operator")
    made = await create(house.client, brief="B")
    heard = await _heard(operator, subjects.live_viewers(made["id"]))
    assert (await house.client.head(f"/api/documents/{made['id']}/events")).status_code == 200
    async with asyncio.timeout(streams.LEASE_TTL_S / 4):  # Sooner than it would be renewed.
        while await heard.get():
            pass


async def test_a_waiting_request_that_is_given_up_gives_its_lease_back(house: GatewayProcess, bus: BusFactory) -> None:
    heard = await _heard(await bus("operator"), subjects.live_viewers())
    body = msgspec.json.encode({"brief": "b", "outline": sections(1, summary=False)})
    asking = asyncio.create_task(
        house.client.post("/api/documents", content=body, headers={"Prefer": "wait=60"} | JSON)
    )
    async with asyncio.timeout(10):
        assert await heard.get()
        asking.cancel()
        while await heard.get():
            pass


async def test_a_lease_that_was_given_back_leaves_nothing_behind(house: GatewayProcess, bus: BusFactory) -> None:
    operator = await bus("operator")
    made = await create(house.client, brief="B")
    await Viewer(house.client, made["id"]).until("snapshot")
    async with asyncio.timeout(4 * streams.LEASE_TTL_S):
        while await _kept(operator):
            pass


async def test_a_stopping_gateway_ends_its_streams_at_once_and_gives_no_lease_back(
    house: GatewayProcess, bus: BusFactory
) -> None:
    operator = await bus("operator")
    made = await create(house.client, brief="B")
    seen: list[str] = []
    async for type_, _ in Viewer(house.client, made["id"]).events():
        seen.append(type_)
        assert await house.end() == 0
    assert seen == ["snapshot"]
    assert all(await _kept(operator)), "the viewers come back elsewhere: nothing may be cancelled"
    assert "Traceback" not in house.said
