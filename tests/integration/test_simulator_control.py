"""The simulator's dials, turned over a real bus."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import msgspec
from nats.errors import NoRespondersError

from schemas.subjects import SIMULATOR_CONTROL
from services.shared.bus import Bus
from tests.integration.conftest import BusFactory
from tests.simulators import simulator

PATIENCE_S = 60.0


async def turned(bus: Bus, turn: Any) -> Any:
    """The simulator's reply, as soon as it listens."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                reply = await bus.client.request(SIMULATOR_CONTROL, msgspec.json.encode(turn) if turn else b"")
            except NoRespondersError:
                await asyncio.sleep(0.01)
            else:
                return msgspec.json.decode(reply.data)


async def test_dials_turned_over_the_bus_hold_for_the_next_call(nats_server: str, bus: BusFactory) -> None:
    gateway = await bus("gateway")
    with simulator(environment={"SCRIPTORIUM_BUS__URL": nats_server}) as address:
        said = await turned(gateway, {"model": "scribe", "dials": {"error_503": 1}})
        assert said["live"] == {"scribe": {"error_503": 1}}
        async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
            body = {"model": "scribe", "messages": [{"role": "user", "content": "Hello."}]}
            assert (await http.post("/v1/chat/completions", json=body)).status_code == 503
        assert "nope" in (await turned(gateway, {"dials": {"nope": 1}}))["error"]
        assert (await turned(gateway, None))["live"] == said["live"]
        assert (await turned(gateway, {"model": "scribe", "reset": True}))["live"] == {}


async def test_without_a_bus_it_answers_all_the_same() -> None:
    with simulator(environment={"SCRIPTORIUM_BUS__URL": "nats://127.0.0.1:1"}) as address:
        async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
            assert (await http.get("/healthz")).status_code == 200
