"""Jobs off the queue: pulled one at a time into each of N slots, kept alive, acknowledged last, buried when they kill.

FastStream does the pulling. What was learned about it is settled here once: `max_workers` prefetches a message whose timer
runs, so each slot is a subscriber of its own on one durable consumer; its inboxes must be those that the service may hear;
its default policy would lose a job on the first exception; it runs handlers in an anyio scope, and once that is cancelled
nothing can be awaited in it, not even a nak, so that jobs have tasks of their own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
from faststream import AckPolicy
from faststream.nats import ConsumerConfig, JStream, NatsBroker, NatsMessage, PullSub
from faststream.security import SASLPlaintext
from nats.errors import Error as NatsError

from schemas import jobs, subjects
from schemas.jobs import AnyJob
from services.shared.bus import PENDING_BYTES_MAX, Bus, connection_options
from services.shared.log import BusUnavailableError
from services.shared.settings import BusSettings

log = logging.getLogger(__name__)

ACK_WAIT_S = 15.0
"""A job whose worker died is somebody else's after this."""
DELIVERIES_MAX = 5
"""A job that was delivered more often has killed whoever took it."""
RETRY_S = 1.0
PULL_S = 2.0
CLOSE_S_MAX = 3.0
"""A pull that was lost with its server is repeated after this."""

Do = Callable[[AnyJob, int], Awaitable[Literal["ack", "nak", "leave"] | None]]
"""Work on a job, which is delivered for the n-th time. When it returns, the job is over, unless it says that another one should
take it at once (`nak`), or has it already (`leave`)."""
Bury = Callable[[AnyJob], Awaitable[None]]
"""Say in the document's log that a job is given up."""


def broker_for(settings: BusSettings, service: subjects.ServiceName) -> NatsBroker:
    """A FastStream broker that connects as `service`, and on stopping does not wait for what it handles."""
    options = connection_options(settings, service)
    user, password = options.pop("user", None), options.pop("password", None)
    return NatsBroker(
        **options,
        security=None if password is None else SASLPlaintext(user, password),
        pending_size=PENDING_BYTES_MAX,
        graceful_timeout=None,
        logger=None,
        # Handlers are given the message as it is. Injecting it, FastStream would go through a thread for each one.
        apply_types=False,
        decoder=_as_it_is,
    )


async def _as_it_is(message: NatsMessage) -> NatsMessage:
    return message


class Worker:
    """Takes jobs of one subject for one durable consumer, `slots` at a time."""

    def __init__(  # noqa: PLR0913 -- each is one thing, given by name
        self, bus: Bus, broker: NatsBroker, *, durable: str, subject: str, slots: int, do: Do, bury: Bury
    ) -> None:
        self._bus = bus
        self._do = do
        self._bury = bury
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscribers = [
            broker.subscriber(
                subject,
                stream=JStream(subjects.JOBS, declare=False),
                durable=durable,
                config=ConsumerConfig(ack_wait=ACK_WAIT_S, max_deliver=-1),
                pull_sub=PullSub(batch_size=1, timeout=PULL_S),
                ack_policy=AckPolicy.MANUAL,
                inbox_prefix=f"{subjects.inbox(bus.service)}.".encode(),
            )
            for _ in range(slots)
        ]
        for subscriber in self._subscribers:
            subscriber(self._take)

    async def close(self) -> None:
        """Take no more, cut off what runs, and give it back. Before the broker stops, over whose connection that goes."""
        for subscriber in self._subscribers:
            await subscriber.stop()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S_MAX)

    async def _take(self, message: NatsMessage) -> None:
        task = asyncio.create_task(self._work(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _work(self, message: NatsMessage) -> None:
        delivery = message.raw_message.metadata.num_delivered
        try:
            job = jobs.decode(message.body)
        except msgspec.DecodeError:
            log.exception("no job: %s", message.raw_message.subject)
            await self._dead(message)
            return
        try:
            async with _kept_alive(message):
                if delivery > DELIVERIES_MAX:
                    await self._bury(job)
                    await self._dead(message)
                    return
                left = await self._do(job, delivery)
        except asyncio.CancelledError:
            await message.nack()  # The service stops: let another take it now, not after ACK_WAIT_S.
            raise
        except BusUnavailableError as error:
            log.warning("%s later: %s", message.raw_message.subject, error)
            await message.nack(delay=RETRY_S)
        except Exception:
            # A defect; the job's deliveries are counted, and it is buried when it does not get better.
            await message.nack(delay=RETRY_S)
            raise
        else:
            if left == "nak":
                await message.nack()
            elif left != "leave":
                await message.ack()  # Last: a crash before this costs a repetition, never a loss.

    async def _dead(self, message: NatsMessage) -> None:
        _, _, kind, document, cell = message.raw_message.subject.split(".", 4)
        await self._bus.js.publish(subjects.dead_job(kind, document, cell), message.body)
        await message.ack()


@asynccontextmanager
async def _kept_alive(message: NatsMessage) -> AsyncGenerator[None]:
    async def keep() -> None:
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            try:
                await message.in_progress()
            except NatsError as error:
                log.warning("could not keep %s alive: %s", message.raw_message.subject, error)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
