"""N slots that take jobs off the queue: interactive before batch, and never one more than is free.

Bare nats-py: a subscriber of FastStream belongs to one consumer and holds its slot while it waits, and here every slot serves
two. Jobs are pulled one by one, since a prefetched job's timer runs. While a writer is idle one slot waits for interactive jobs
and the others may take batch jobs, so that a document of thousands of cells never stands in the way of a small one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, Literal

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError

from schemas import jobs, subjects
from schemas.jobs import WriteCell
from services.shared.attempt.look import Ask
from services.shared.attempt.runner import DELIVERIES_MAX, Runner
from services.shared.bus import Bus

log = logging.getLogger(__name__)

Lane = Literal["interactive", "batch"]
LANES: Final[tuple[Lane, ...]] = ("interactive", "batch")
ACK_WAIT_S = 6.0
"""A job whose writer died is somebody else's after this."""
PULL_S = 5.0
RETRY_S = 0.2
NAK_DELAY_S = 1.0
"""After a defect: its job's deliveries are counted, and it is buried when it does not get better."""


class Room:
    """Who may pull next. A pull that is open counts like a job that runs."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._taken: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._waiting = 0
        self._changed = asyncio.Condition()

    async def take(self, lane: Lane) -> None:
        """Wait for a free slot."""
        async with self._changed:
            self._waiting += lane == "interactive"
            try:
                await self._changed.wait_for(lambda: self._is_free(lane))
            finally:
                self._waiting -= lane == "interactive"
            self._taken[lane] += 1

    async def leave(self, lane: Lane) -> None:
        """It is free again."""
        async with self._changed:
            self._taken[lane] -= 1
            self._changed.notify_all()

    def _is_free(self, lane: Lane) -> bool:
        if self._slots == 1:  # Both lanes wait for jobs; a second one that comes is let in.
            return self._taken[lane] == 0
        free = sum(self._taken.values()) < self._slots
        return free and (lane == "interactive" or not self._waiting)


class Slots:
    """Pulls, runs and settles jobs until stopped."""

    def __init__(self, bus: Bus, runner: Runner, slots: int) -> None:
        self._bus = bus
        self._runner = runner
        self._room = Room(slots)
        self._running: set[asyncio.Task[None]] = set()
        self._pulling: list[asyncio.Task[None]] = []
        self._fetching: dict[Lane, asyncio.Task[list[Msg]]] = {}
        self._subscriptions: list[JetStreamContext.PullSubscription] = []
        self._forget = bus.on_reconnected(self._pull_again)

    async def start(self) -> None:
        """Both consumers are there; jobs are taken from now on."""
        for lane in LANES:
            await ensure_consumer(self._bus.js, lane)
        self._pulling = [asyncio.create_task(self._pull(lane), name=f"pull {lane}") for lane in LANES]

    async def stop(self, within_s: float) -> None:
        """Take no more, close every call, give the jobs back."""
        self._forget()
        pulls: list[asyncio.Task[Any]] = [*self._pulling, *self._fetching.values()]
        for task in pulls:
            task.cancel()
        await asyncio.gather(*pulls, return_exceptions=True)  # They were told to end; how is all the same.
        for subscription in self._subscriptions:
            # First: a job that is given back must not come here again, to a pull that is still open at the server.
            await subscription.unsubscribe()
        self._runner.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=within_s)
        for task in self._running:
            task.cancel()

    # -- Pulling -------------------------------------------------------------------------------------------------------

    async def _pull(self, lane: Lane) -> None:
        subscription = await self._bus.js.pull_subscribe_bind(durable=f"writer-{lane}", stream=subjects.JOBS)
        self._subscriptions.append(subscription)
        while True:
            await self._room.take(lane)
            fetching = self._fetching[lane] = asyncio.create_task(subscription.fetch(1, timeout=PULL_S))
            await asyncio.wait((fetching,))
            message = await self._fetched(fetching, lane)
            if message is None:
                await self._room.leave(lane)
            else:
                task = asyncio.create_task(self._take(message, lane), name=message.subject)
                self._running.add(task)
                task.add_done_callback(self._ended)

    async def _fetched(self, fetching: asyncio.Task[list[Msg]], lane: Lane) -> Msg | None:
        if fetching.cancelled():
            return None  # The bus was away, and with it the request.
        match fetching.exception():
            case None:
                return fetching.result()[0]
            case TimeoutError():
                return None
            case NatsError() | APIError() as error:
                log.warning("pulling %s: %s", lane, error)
                await asyncio.sleep(RETRY_S)
                await self._restore(lane)
                return None
            case error:
                raise error

    async def _pull_again(self) -> None:
        for fetching in self._fetching.values():
            fetching.cancel()

    async def _restore(self, lane: Lane) -> None:
        """A consumer that was lost with its stream is made again."""
        try:
            await ensure_consumer(self._bus.js, lane)
        except (NatsError, APIError, TimeoutError) as error:
            log.warning("consumer of %s: %s", lane, error)

    # -- One job -------------------------------------------------------------------------------------------------------

    async def _take(self, message: Msg, lane: Lane) -> None:
        delivery = message.metadata.num_delivered
        keeping = asyncio.create_task(self._keep_alive(message))
        try:
            job = jobs.decode(message.data)
            if not isinstance(job, WriteCell):
                await self._dead(message)
            elif delivery > DELIVERIES_MAX:
                await self._runner.bury(Ask.of(job))
                await self._dead(message)
            else:
                match await self._runner.run(Ask.of(job), delivery):
                    case "ack":
                        await message.ack()  # Last: a crash before this costs a repetition, never a loss.
                    case "nak":
                        await message.nak()
                    case "leave":
                        pass
        except msgspec.DecodeError:
            log.exception("no job: %s", message.subject)
            await self._dead(message)
        except Exception:
            await message.nak(delay=NAK_DELAY_S)
            raise
        finally:
            keeping.cancel()
            await self._room.leave(lane)

    async def _dead(self, message: Msg) -> None:
        _, _, kind, document, cell = message.subject.split(".", 4)
        await self._bus.js.publish(subjects.dead_job(kind, document, cell), message.data)
        await message.term()

    async def _keep_alive(self, message: Msg) -> None:
        while True:
            await asyncio.sleep(ACK_WAIT_S / 3)
            if self._bus.lost_at_ms is not None:
                continue  # It would be said when the bus is back, and hold up whoever has the job by then.
            try:
                await message.in_progress()
            except NatsError as error:
                log.warning("could not keep %s alive: %s", message.subject, error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a defect in %s", task.get_name(), exc_info=error)


async def ensure_consumer(js: JetStreamContext, lane: Lane) -> None:
    """Make a lane's durable consumer, or leave it as it is."""
    config = ConsumerConfig(
        durable_name=f"writer-{lane}",
        filter_subject=f"{subjects.job(lane, 'write')}",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_deliver=-1,
        max_ack_pending=-1,
    )
    await js.add_consumer(subjects.JOBS, config)
