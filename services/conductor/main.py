"""The conductor: wiring only."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

from faststream import AckPolicy
from faststream.nats import ConsumerConfig, JStream, NatsBroker, NatsMessage, PullSub
from nats.errors import Error as NatsError
from nats.js.api import DeliverPolicy
from nats.js.errors import APIError

from schemas import commands, subjects
from services.conductor.desk import RECONCILE_S, Desk
from services.shared.bus import Bus, connect
from services.shared.log import BusUnavailableError
from services.shared.provision import provision
from services.shared.settings import Settings
from services.shared.work import broker_for

log = logging.getLogger(__name__)

ACK_WAIT_S = 5.0
RETRY_S = 0.5
PULL_S = 5.0

Take = Callable[[NatsMessage], Awaitable[None]]


def _subscribe(broker: NatsBroker, stream: str, subject: str, durable: str, policy: DeliverPolicy, take: Take) -> None:  # noqa: PLR0913, PLR0917 -- a subscription is all of these
    """One partition: strictly in order, one message at a time among all replicas."""
    broker.subscriber(
        subject,
        stream=JStream(stream, declare=False),
        durable=durable,
        config=ConsumerConfig(ack_wait=ACK_WAIT_S, max_ack_pending=1, max_deliver=-1, deliver_policy=policy),
        pull_sub=PullSub(batch_size=1, timeout=PULL_S),
        ack_policy=AckPolicy.MANUAL,
        inbox_prefix=f"{subjects.inbox('conductor')}.".encode(),
    )(take)


def _handlers(desk: Desk) -> tuple[Take, Take]:
    async def fact(message: NatsMessage) -> None:
        raw = message.raw_message
        await _acknowledged(message, desk.attend(subjects.document_of(raw.subject), raw.metadata.sequence.stream))

    async def command(message: NatsMessage) -> None:
        wish = commands.decode(message.body)
        await _acknowledged(message, desk.attend(wish.document, command=wish))

    return fact, command


async def _acknowledged(message: NatsMessage, attending: Awaitable[None]) -> None:
    try:
        await attending
    except (BusUnavailableError, NatsError, TimeoutError) as error:
        log.warning("%s again: %s", message.raw_message.subject, error)
        await message.nack(delay=RETRY_S)
    else:
        await message.ack()  # Last: a crash before this costs another look, never a decision.


async def _reconcile(bus: Bus, desk: Desk) -> None:
    """Now and then, and whenever the bus was away."""
    while True:
        try:
            await desk.reconcile()
        except (BusUnavailableError, NatsError, APIError, TimeoutError) as error:
            log.warning("reconciling again: %s", error)
        waited = 0.0
        lost = False
        while waited < RECONCILE_S and not (lost and bus.lost_at_ms is None):
            lost = lost or bus.lost_at_ms is not None
            await asyncio.sleep(RETRY_S)
            waited += RETRY_S


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    bus = await connect(settings.bus, "conductor")
    await provision(bus)
    desk = Desk(bus)

    async def back() -> None:
        await provision(bus)  # What was in memory went with the server.
        await desk.viewers.refresh()

    bus.on_reconnected(back)
    await desk.viewers.start()
    broker = broker_for(settings.bus, "conductor")
    fact, command = _handlers(desk)
    for partition in range(subjects.PARTITIONS):
        _subscribe(
            broker,
            subjects.FACTS,
            subjects.facts_stored(partition=partition),
            f"conductor-facts-{partition}",
            DeliverPolicy.NEW,
            fact,
        )
        _subscribe(
            broker,
            subjects.COMMANDS,
            subjects.commands_stored(partition),
            f"conductor-commands-{partition}",
            DeliverPolicy.ALL,
            command,
        )
    await broker.start()
    reconciling = asyncio.create_task(_reconcile(bus, desk))
    print("conductor ready", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
    await stopping.wait()
    reconciling.cancel()
    await desk.close()
    await broker.stop()
    await bus.close()


def main() -> None:
    """Run the service with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(Settings().resolved()))
