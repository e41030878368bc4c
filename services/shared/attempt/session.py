"""The shell around the core for one delivery: it does what the core says, and tells it what came of that."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol

from schemas import subjects
from schemas.events import AnyFact, AttemptStarted, CallReserved, TextAppended
from schemas.events import encode as encode_event
from services.shared.attempt.core import step
from services.shared.attempt.documents import Followed
from services.shared.attempt.look import Ask, is_mine, look, may_hedge, unwanted
from services.shared.attempt.models import Models, Place
from services.shared.attempt.states import (
    Admit,
    Admitted,
    Append,
    AttemptEvent,
    AttemptState,
    Begin,
    CallClosed,
    Calling,
    Claim,
    Claimed,
    CloseCall,
    Conclude,
    Counted,
    DeadlinePassed,
    Effect,
    Ended,
    Fresh,
    Ink,
    LetGo,
    Plan,
    Refused,
    Release,
    RetryDue,
    StartCall,
    StopAsked,
    TextArrived,
    Troubled,
    Usage,
    WaitUntil,
    Withdraw,
)
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError, ConflictError, append
from services.shared.models import client
from services.shared.models.events import Finished, Text, Thinking, Trouble
from services.shared.models.events import Usage as ClientUsage
from services.shared.models.registry import UnknownModelError
from services.shared.models.requests import CallIds, ChatRequest, Message, ResponseSchema

log = logging.getLogger(__name__)

STOPPING_S_MAX = 2.0
"""For receipts, when the process has been told to end."""


class Work(Protocol):
    """What one job asks of a model, and what its answer amounts to."""

    messages: tuple[Message, ...]
    response_schema: ResponseSchema | None

    def problem(self, text: str) -> str | None:
        """Why this answer cannot be taken; None: it can."""
        ...

    def fact(self, done: Conclude) -> AnyFact:
        """What the answer means for the document."""
        ...


class Session:
    """One delivery of one job."""

    def __init__(self, bus: Bus, models: Models, followed: Followed, ask: Ask, plan: Plan, work: Work) -> None:  # noqa: PLR0913, PLR0917 -- wiring
        self.state: AttemptState = Fresh()
        self._bus = bus
        self._models = models
        self._followed = followed
        self._ask = ask
        self._plan = plan
        self._work = work
        self._effects: asyncio.Queue[Effect | BaseException] = asyncio.Queue()
        self._inks: deque[TextAppended] = deque()
        self._calls: dict[int, client.Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._admission: asyncio.Task[None] | None = None
        self._places: list[Place] = []
        self._timers: list[asyncio.TimerHandle] = []

    # -- In: what happens ----------------------------------------------------------------------------------------------

    def feed(self, event: AttemptEvent) -> None:
        """Tell the core. What has to happen at once happens before this returns: sockets close, calls begin, timers start."""
        self.state, effects = step(self._plan, self.state, event)
        for effect in effects:
            match effect:
                case CloseCall(call=number):
                    if number in self._calls:
                        self._calls[number].close(type(event).__name__)
                case StartCall():
                    self._begin(self._call(effect))
                case Admit(model=model):
                    self._admission = self._begin(self._admit(model))
                case Withdraw():
                    if self._admission is not None:
                        self._admission.cancel()
                case WaitUntil(at_ms=at_ms):
                    self._at(at_ms, lambda: self.feed(RetryDue(at_ms=now_ms())))
                case Ink(ink=ink):
                    self._inks.append(ink)  # Published by the call that is speaking, in order.
                case _:
                    self._effects.put_nowait(effect)

    def on_fact(self, _fact: AnyFact) -> None:
        """The document moved on: is this still wanted?"""
        document = self._followed.document
        if document is not None and (stop := unwanted(document, self._ask, self._plan.delivery, now_ms())) is not None:
            self.feed(stop)

    def stop_for(self, reason: str) -> None:
        """The process ends (`writer_stopping`), or has been without the bus for too long (`bus_lost`)."""
        at_ms = now_ms()
        self.feed(
            StopAsked(at_ms=at_ms, reason="bus_lost" if reason == "bus_lost" else "writer_stopping", asked_at_ms=at_ms)
        )

    async def ink_again(self) -> None:
        """The bus was away and may have lost what was on its way: the whole text of the running attempt, once more."""
        state = self.state
        if isinstance(state, Calling) and state.text and self._plan.structured is None:
            await self._publish(TextAppended(cell=self._ask.cell, attempt=state.attempt, offset=0, text=state.text))

    # -- Out: what is to be done ---------------------------------------------------------------------------------------

    async def run(self) -> Release:
        """Until the job is to be let go."""
        forget = self._followed.tail.listen(self.on_fact)
        self._at(self._plan.deadline_ms, lambda: self.feed(DeadlinePassed(at_ms=now_ms())))
        self.feed(Begin(at_ms=now_ms()))
        performing = asyncio.create_task(self._perform())
        try:
            # Shielded: an append that is on its way has to be heard of.
            return await asyncio.shield(performing)
        except asyncio.CancelledError:
            self.stop_for("writer_stopping")
            await asyncio.wait((performing,), timeout=STOPPING_S_MAX)
            raise
        finally:
            performing.cancel()
            forget()
            for timer in self._timers:
                timer.cancel()
            for call in self._calls.values():
                call.close("left")
            for task in tuple(self._tasks):
                task.cancel()
            for place in self._places:
                place.leave()

    async def _perform(self) -> Release:
        while True:
            effect = await self._effects.get()
            match effect:
                case Claim(fact=fact):
                    await self._claim(fact)
                case Append(fact=fact):
                    await self._append(fact)
                case Conclude():
                    await self._append(self._work.fact(effect))
                case LetGo(how=how):
                    return how
                case BaseException():
                    raise effect
                case _:
                    msg = f"{effect} is done at once, or by its call"
                    raise TypeError(msg)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._effects.put_nowait(error)  # A defect: ends the delivery, and is seen.

    def _at(self, at_ms: int, do: Callable[[], None]) -> None:
        delay_s = max(at_ms - now_ms(), 0) / 1_000
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, do))

    async def _admit(self, model: str) -> None:
        self._places.append(await self._models.admit(model))
        self.feed(Admitted(at_ms=now_ms()))

    async def _claim(self, fact: AttemptStarted | CallReserved) -> None:
        """Append it where the log ends, if what the log says up to there still wants it."""
        followed, ask = self._followed, self._ask
        async with followed.turn:
            while True:
                document = followed.document
                if isinstance(fact, AttemptStarted) and is_mine(document, fact):
                    self.feed(Claimed(at_ms=now_ms()))
                    return
                if isinstance(fact, AttemptStarted):
                    verdict = look(document, ask, fact.attempt)
                else:
                    verdict = "go" if may_hedge(document, ask, fact.attempt) else "ack"
                if document is None or verdict != "go":
                    self.feed(Refused(at_ms=now_ms(), release="leave" if verdict == "leave" else "ack"))
                    return
                try:
                    followed.own = await append(
                        self._bus, ask.document, fact, expected=max(document.sequence, followed.own)
                    )
                except ConflictError as conflict:
                    followed.own = 0
                    await followed.tail.reached(conflict.last)
                except BusUnavailableError as error:
                    log.warning("claiming %s again: %s", ask.cell, error)
                else:
                    self.feed(Claimed(at_ms=now_ms()))
                    return

    async def _append(self, fact: AnyFact) -> None:
        while True:
            try:
                await append(self._bus, self._ask.document, fact)
            except BusUnavailableError as error:
                # What a call came to must not be lost: it is said as soon as the bus is back.
                log.warning("appending again: %s", error)
            else:
                return

    async def _publish(self, ink: TextAppended) -> None:
        if self._bus.lost_at_ms is None:  # Else it comes with `ink_again`.
            await self._bus.client.publish(subjects.ink(self._ask.document), encode_event(ink))

    # -- A call --------------------------------------------------------------------------------------------------------

    async def _call(self, start: StartCall) -> None:
        number = start.call
        messages = self._work.messages
        if start.repair is not None:
            messages = repaired(messages, start.repair.answer, start.repair.problem)
        request = ChatRequest(
            model="",
            messages=messages,
            max_tokens=self._plan.tokens_out_max,
            response_schema=self._work.response_schema,
            ids=CallIds(self._ask.document, self._ask.cell, start.attempt, number),
        )
        try:
            call = self._models.call(start.model, request, self._plan.deadline_ms - now_ms())
        except UnknownModelError as error:
            self._trouble(number, Trouble("no_model", str(error)))
            self._leave_place()
            return
        self._calls[number] = call
        try:
            async with call:
                await self._listen(number, call)
        finally:
            del self._calls[number]
            self._leave_place()
        # Says nothing new of a call that came to its end by itself.
        self.feed(CallClosed(at_ms=call.closed_at_ms or now_ms(), call=number))

    async def _listen(self, number: int, call: client.Call) -> None:
        async for event in call:
            match event:
                case Text(text=text):
                    self.feed(TextArrived(at_ms=now_ms(), call=number, text=text))
                    while self._inks:
                        await self._publish(self._inks.popleft())
                case ClientUsage(tokens_in=tokens_in, tokens_out=tokens_out):
                    self.feed(Counted(call=number, usage=Usage(tokens_in, tokens_out)))
                case Finished(reason=reason):
                    state = self.state
                    text = state.text if isinstance(state, Calling) else ""
                    problem = self._work.problem(text) if reason in {"stop", "length"} else None
                    self.feed(
                        Ended(
                            at_ms=now_ms(),
                            call=number,
                            reason=reason,
                            problem=problem,
                            jitter=random.random(),  # noqa: S311 -- spreads retries, keeps no secret
                        )
                    )
                case Trouble():
                    self._trouble(number, event)
                case Thinking():
                    pass

    def _trouble(self, number: int, trouble: Trouble) -> None:
        self.feed(
            Troubled(
                at_ms=now_ms(),
                call=number,
                kind=trouble.kind,
                message=trouble.message,
                retry_after_ms=trouble.retry_after_ms,
                jitter=random.random(),  # noqa: S311 -- likewise
            )
        )

    def _leave_place(self) -> None:
        if self._places:
            self._places.pop().leave()


def repaired(messages: tuple[Message, ...], answer: str, problem: str) -> tuple[Message, ...]:
    """The prompt of the one repair round: what was answered, and what is wrong with it."""
    said = (Message("assistant", answer),) if answer.strip() else ()
    ask = Message("user", f"That answer cannot be used: {problem}\nAnswer again, in the form that was asked for.")
    return (*messages, *said, ask)
