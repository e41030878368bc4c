"""The conductor: wiring only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
from faststream import AckPolicy
from faststream.nats import ConsumerConfig, JStream, NatsBroker, NatsMessage, PullSub
from nats.errors import Error as NatsError
from nats.js.api import DeliverPolicy

from schemas import commands, subjects
from schemas.compaction import Rule
from services.conductor.compaction import Compactor
from services.conductor.desk import Desk
from services.conductor.rounds import Rounds
from services.shared.bus import Bus, connect
from services.shared.ending import Ending, run
from services.shared.log import BusUnavailableError
from services.shared.provision import provision
from services.shared.settings import Settings
from services.shared.work import broker_for

log = logging.getLogger(__name__)

ACK_WAIT_S = 2.0
"""What a replica that was killed had in hand, or an acknowledgement that was lost with its server, holds up its partition so long."""
TAKE_S = 1.5
"""Below ACK_WAIT_S: a wish is obeyed while it is still this replica's, or not at all."""
RETRY_S = 0.2
PULL_S = 1.0
"""A pull that was lost with its server is repeated after this."""

Take = Callable[[NatsMessage], Awaitable[None]]


def _subscribe(
    broker: NatsBroker, stream: str, stored: Callable[[int], str], policy: DeliverPolicy, take: Take
) -> None:
    """Each partition strictly in order, one message at a time among all replicas."""
    for partition in range(subjects.PARTITIONS):
        broker.subscriber(
            stored(partition),
            stream=JStream(stream, declare=False),
            durable=f"conductor-{stream.lower()}-{partition}",
            config=ConsumerConfig(ack_wait=ACK_WAIT_S, max_ack_pending=1, max_deliver=-1, deliver_policy=policy),
            pull_sub=PullSub(batch_size=1, timeout=PULL_S),
            ack_policy=AckPolicy.MANUAL,
            inbox_prefix=f"{subjects.inbox('conductor')}.".encode(),
        )(take)


def _takers(desk: Desk) -> tuple[Take, Take]:
    async def fact(message: NatsMessage) -> None:
        raw = message.raw_message
        id_, sequence = subjects.document_of(raw.subject), raw.metadata.sequence.stream
        await _taken(message, desk.attend_fact(id_, sequence, raw.data))

    async def command(message: NatsMessage) -> None:
        try:
            wish = commands.decode(message.body)
        except msgspec.DecodeError:
            log.exception("no wish: %s", message.raw_message.subject)
            await message.reject()
            return
        await _taken(message, desk.attend(wish.document, wish))

    return fact, command


async def _taken(message: NatsMessage, attending: Coroutine[Any, Any, object]) -> None:
    try:
        async with asyncio.timeout(TAKE_S):
            await attending
    except asyncio.CancelledError:
        await message.nack()  # This replica stops: another takes it now, not after ACK_WAIT_S.
        raise
    except (BusUnavailableError, NatsError, TimeoutError) as error:
        log.warning("%s again: %s", message.raw_message.subject, error or "not done in time")
        await message.nack(delay=RETRY_S)
    except Exception:
        # A defect in one document stops no partition. It is looked at again when its log grows.
        log.exception("%s cannot be attended to", message.raw_message.subject)
        await message.reject()
    else:
        await message.ack()  # Last: a crash before this costs another look, never a decision.


async def _prepare(bus: Bus) -> None:
    """Make streams and buckets, however long the bus needs for it."""
    while True:
        try:
            await provision(bus)
        except (NatsError, TimeoutError) as error:
            log.warning("streams again: %s", error)
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _refresh(desk: Desk) -> None:
    while True:
        try:
            await desk.viewers.refresh()
        except (BusUnavailableError, NatsError, TimeoutError, msgspec.ValidationError) as error:
            log.warning("viewers again: %s", error)
            await asyncio.sleep(RETRY_S)
        else:
            return


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    ending = Ending()
    bus = await connect(settings.bus, "conductor")
    await _prepare(bus)
    desk = Desk(bus)
    rounds = Rounds(bus, desk)
    kept = settings.history
    rule = Rule(age_ms=round(kept.days * 24 * 3_600_000), edits=kept.edits, facts=kept.facts)
    compactor = Compactor(bus, desk, rule)

    async def back() -> None:
        await _prepare(bus)  # What was in memory went with the server.
        await _refresh(desk)
        rounds.due()

    bus.on_reconnected(back)
    await desk.viewers.listen()
    await _refresh(desk)
    broker = broker_for(settings.bus, "conductor")
    fact, command = _takers(desk)
    # What was there before there was a conductor, the first round finds.
    _subscribe(broker, subjects.FACTS, lambda n: subjects.facts_stored(partition=n), DeliverPolicy.NEW, fact)
    _subscribe(broker, subjects.COMMANDS, subjects.commands_stored, DeliverPolicy.ALL, command)
    await broker.start()
    print("conductor ready", flush=True)  # noqa: T201 -- what `scriptorium up` waits for
    going_round = asyncio.create_task(rounds.run())
    compacting = asyncio.create_task(compactor.run())
    stopped = asyncio.create_task(ending.asked())
    ended, _ = await asyncio.wait((going_round, compacting, stopped), return_when=asyncio.FIRST_COMPLETED)
    going_round.cancel()
    compacting.cancel()
    await desk.close()
    await broker.stop()
    await bus.close()
    for task in ended:
        await task  # The other two never end by themselves: this raises what ended them.


def main() -> None:
    """Run the service with the settings of the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run(serve(Settings().resolved()))
