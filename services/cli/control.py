"""Wishes about the processes of one `up`, as they come over the bus, and samples of what becomes of them. In a demo only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
from nats.aio.msg import Msg

from schemas import operations, subjects
from schemas.operations import Process, ProcessesShown, decode_act
from services.cli.control_core import Refused, state_name, weigh
from services.cli.house import House
from services.cli.supervisor import Supervisor
from services.shared.bus import FLUSH_S, Bus, connect
from services.shared.clock import monotonic_ms
from services.shared.samples import Samples

log = logging.getLogger(__name__)


@asynccontextmanager
async def controlled(house: House, supervisor: Supervisor) -> AsyncGenerator[None]:
    """Listen to control rooms for as long as this lasts."""
    if not house.is_demo:
        yield
        return
    # What a connection has to say belongs in a log, not between the lines for people.
    logging.basicConfig(
        filename=house.logs / "up.log", level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    listening = asyncio.create_task(_listen(house, supervisor))
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(house: House, supervisor: Supervisor) -> None:
    bus = await connect(house.bus("supervisor"), "supervisor")
    try:
        supervisor.notice = Samples(bus).tell
        asked = await bus.client.subscribe(subjects.SUPERVISOR_CONTROL)
        async for message in asked.messages:
            await _answer(bus, supervisor, message)
    finally:
        await bus.close()


async def _answer(bus: Bus, supervisor: Supervisor, message: Msg) -> None:
    """An empty request only asks what there is."""
    if not message.data:
        await _reply(message, ProcessesShown(processes=_shown(supervisor)))
        return
    keepers = {keeper.program.name: keeper for keeper in supervisor.keepers}
    try:
        act = weigh(decode_act(message.data), {name: keeper.state for name, keeper in keepers.items()})
    except msgspec.DecodeError as error:
        act = Refused(str(error))
    log.info("%s", act)
    if isinstance(act, Refused):
        await _reply(message, ProcessesShown(refused=act.reason))
    elif act.cuts_the_answer:
        await _reply(message, ProcessesShown(processes=_shown(supervisor), did=act.did))
        await bus.client.flush(FLUSH_S)
        keepers[act.process].happened(act.asked(at_ms=monotonic_ms()))
    else:
        keepers[act.process].happened(act.asked(at_ms=monotonic_ms()))
        await _reply(message, ProcessesShown(processes=_shown(supervisor), did=act.did))


def _shown(supervisor: Supervisor) -> tuple[Process, ...]:
    return tuple(
        Process(name=keeper.program.name, pid=keeper.pid, state=state_name(keeper.state))
        for keeper in supervisor.keepers
    )


async def _reply(message: Msg, answer: ProcessesShown) -> None:
    if message.reply:
        await message.respond(operations.encode(answer))
