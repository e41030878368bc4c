"""What processes that ask models tell each other, and the control room: over core NATS, and it may be lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Literal

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas import samples, subjects
from schemas.samples import AnyHold, AnySample, CallerSampled, HoldsAsked, ModelHeld, ModelReleased
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.health.gate import Tell
from services.shared.health.keeper import Gatekeeper

log = logging.getLogger(__name__)

SAMPLE_S = 1.0


class Telling:
    """One process's voice and ear."""

    def __init__(  # noqa: PLR0913 -- wiring, by name
        self,
        bus: Bus,
        keeper: Gatekeeper,
        *,
        name: str,
        service: Literal["writer", "planner"],
        slots: int,
        jobs: Callable[[], int],
    ) -> None:
        self._bus = bus
        self._keeper = keeper
        self._name = name
        self._service: Literal["writer", "planner"] = service
        self._slots = slots
        self._jobs = jobs
        self._tasks: set[asyncio.Task[None]] = set()
        self._forget: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """From now on holds are heard and told, and samples are sent. What others hold already is asked for."""
        await self._bus.client.subscribe(subjects.MODEL_HOLDS, cb=self._heard)
        self._forget = self._bus.on_reconnected(self._ask)
        self._keeper.tell = self._tell
        await self._ask()
        self._begin(self._sample())

    async def close(self) -> None:
        """Say no more."""
        self._forget()
        self._keeper.tell = lambda _told: None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # They were told to end.

    async def _ask(self) -> None:
        await self._publish(HoldsAsked(at_ms=now_ms(), by=self._name))

    async def _heard(self, message: Msg) -> None:
        try:
            said: AnyHold = samples.decode_hold(message.data)
        except msgspec.DecodeError as error:
            log.warning("no hold: %s", error)
            return
        if said.by == self._name:
            return
        match said:
            case ModelHeld() | ModelReleased():
                self._keeper.hear(said)
            case HoldsAsked():
                for hold in self._keeper.holds(self._name):
                    await self._publish(hold)

    def _tell(self, told: Tell) -> None:
        at_ms, news = now_ms(), told.news
        said: AnyHold
        if news.reason == "released":
            said = ModelReleased(at_ms=at_ms, by=self._name, model=told.model)
        else:
            said = ModelHeld(at_ms=at_ms, by=self._name, model=told.model, until_ms=news.until_ms, reason=news.reason)
        log.info("%s: %s until %s", told.model, news.reason, news.until_ms or "now")
        self._begin(self._publish(said))

    async def _sample(self) -> None:
        while True:
            sample = CallerSampled(
                at_ms=now_ms(),
                name=self._name,
                service=self._service,
                jobs=self._jobs(),
                slots=self._slots,
                models=self._keeper.sample(),
            )
            await self._publish(sample, subjects.metrics(self._service))
            await asyncio.sleep(SAMPLE_S)

    async def _publish(self, said: AnyHold | AnySample, subject: str = subjects.MODEL_HOLDS) -> None:
        if self._bus.lost_at_ms is not None:
            return  # It would be old when the bus is back.
        try:
            await self._bus.client.publish(subject, samples.encode(said))
        except NatsError as error:
            log.warning("could not tell %s: %s", subject, error)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a defect in telling", exc_info=error)
