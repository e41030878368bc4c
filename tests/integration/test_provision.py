from __future__ import annotations

import asyncio

from schemas import streams
from services.shared.provision import provision
from tests.integration.conftest import BusFactory, NatsServer


async def test_provisioning_again_changes_nothing_and_is_not_refused(bus: BusFactory) -> None:
    first, second = await bus("operator"), await bus("operator")
    before = [(await first.js.stream_info(config.name or "")).created for config in streams.STREAMS]
    await asyncio.gather(provision(first), provision(second))
    assert [(await first.js.stream_info(config.name or "")).created for config in streams.STREAMS] == before


async def test_after_a_restart_what_was_in_memory_is_made_again(bus: BusFactory, server: NatsServer) -> None:
    here = await bus("operator")
    server.kill()
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        while True:
            try:
                await provision(here)
            except (OSError, TimeoutError):  # Not reconnected yet.
                continue
            break
    for config in streams.STREAMS:
        assert (await here.js.stream_info(config.name or "")).config.name == config.name
