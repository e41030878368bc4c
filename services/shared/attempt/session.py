"""The shell around the core for one delivery: it does what the core says, and tells it what came of that."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine

from schemas.attempts import attempt_number
from schemas.events import AnyFact, TextAppended
from services.shared.attempt.asking import Asking, Work
from services.shared.attempt.cache import Answer, Flight
from services.shared.attempt.claims import Claims
from services.shared.attempt.core import step
from services.shared.attempt.documents import Followed
from services.shared.attempt.effects import (
    Admit,
    Append,
    Claim,
    CloseCall,
    Conclude,
    Effect,
    Ink,
    LetGo,
    StartCall,
    WaitUntil,
    Withdraw,
)
from services.shared.attempt.events import (
    Admitted,
    AttemptEvent,
    Begin,
    DeadlinePassed,
    Diverted,
    Found,
    HedgeDue,
    RetryDue,
    StopAsked,
)
from services.shared.attempt.look import Ask, unwanted
from services.shared.attempt.models import Models
from services.shared.attempt.plan import Plan, Release
from services.shared.attempt.states import Admitting, AttemptState, Calling, Claiming, Closing, Fresh, Withdrawing
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.health.keeper import Place

STOPPING_S_MAX = 2.0
"""For receipts, when the process has been told to end."""


class Session:
    """One delivery of one job."""

    def __init__(  # noqa: PLR0913, PLR0917 -- wiring
        self,
        bus: Bus,
        models: Models,
        followed: Followed,
        ask: Ask,
        plan: Plan,
        work: Work,
        flight: Flight | None = None,
    ) -> None:
        self.state: AttemptState = Fresh()
        self._flight = flight
        self._done: Conclude | None = None
        self._models = models
        self._followed = followed
        self._ask = ask
        self._plan = plan
        self._work = work
        self._claims = Claims(bus, followed, ask)
        self._asking = Asking(models, ask, plan, work, self.feed, self._text, self._publish)
        self._effects: asyncio.Queue[Effect | BaseException] = asyncio.Queue()
        self._inks: deque[TextAppended] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._place: Place | None = None
        """Of the call that is to begin: asked for, or granted and waiting for its claim."""
        self._timers: list[asyncio.TimerHandle] = []

    # -- In: what happens ----------------------------------------------------------------------------------------------

    def feed(self, event: AttemptEvent) -> None:
        """Tell the core. What has to happen at once happens before this returns: sockets close, calls begin, timers start."""
        self.state, effects = step(self._plan, self.state, event)
        for effect in effects:
            match effect:
                case CloseCall(call=number):
                    self._asking.close(number, type(event).__name__)
                case StartCall():
                    self._start(effect)
                case Admit(model=model, again=again):
                    ask = self._ask
                    self._place = self._models.keeper.ask(
                        self, model, lane=ask.lane, document=ask.document, again=again
                    )
                case Withdraw():
                    self._leave_place()
                case WaitUntil(at_ms=at_ms):
                    self._at(at_ms, lambda: self.feed(RetryDue(at_ms=now_ms())))
                case Ink(ink=ink):
                    self._inks.append(ink)  # Published by the call that is speaking, in order.
                case _:
                    self._effects.put_nowait(effect)
        if not _may_begin(self.state):
            self._leave_place()

    def on_fact(self, _fact: AnyFact | None = None) -> None:
        """The document moved on: is this still wanted?"""
        document = self._followed.document
        if document is not None and (stop := unwanted(document, self._ask, self._plan.delivery, now_ms())) is not None:
            self.feed(stop)

    # The gatekeeper's asker.

    def granted(self, place: Place) -> None:
        """There is a place."""
        if place is self._place:
            self.feed(Admitted(at_ms=now_ms()))

    def diverted(self, place: Place) -> None:
        """Is there a better model to wait for?"""
        if place is self._place:
            self.feed(Diverted(at_ms=now_ms(), avoid=self._models.keeper.avoid(self._plan.chain)))

    def given_up(self, place: Place) -> None:
        """The model of an open call is silent altogether."""
        self._asking.give_up(place)

    def stop_for(self, reason: str) -> None:
        """The process ends (`writer_stopping`), or has been without the bus for too long (`bus_lost`)."""
        at_ms = now_ms()
        self.feed(
            StopAsked(at_ms=at_ms, reason="bus_lost" if reason == "bus_lost" else "writer_stopping", asked_at_ms=at_ms)
        )

    async def ink_again(self) -> None:
        """The bus was away and may have lost what was on its way: the whole text of the running attempt, once more."""
        if self._plan.structured is not None:
            return
        await self._claims.until_ink_is_kept()
        state = self.state
        if isinstance(state, Calling) and state.text:
            await self._claims.publish(
                TextAppended(cell=self._ask.cell, attempt=state.attempt, offset=0, text=state.text)
            )

    # -- Out: what is to be done ---------------------------------------------------------------------------------------

    async def run(self) -> Release:
        """Until the job is to be let go."""
        forget = self._followed.tail.listen(self.on_fact)
        self._at(self._plan.deadline_ms, lambda: self.feed(DeadlinePassed(at_ms=now_ms())))
        if self._flight is None or not self._flight.looks:
            self.feed(self._beginning())
        else:
            self._begin(self._look_up(self._flight))
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
            self._asking.close_all("left")
            for task in tuple(self._tasks):
                task.cancel()
            self._leave_place()
            if self._flight is not None:
                await self._flight.close(self._done)

    async def _perform(self) -> Release:
        while True:
            effect = await self._effects.get()
            match effect:
                case Claim(fact=fact):
                    self.feed(await self._claims.claim(fact))
                case Append(fact=fact):
                    await self._claims.append(fact)
                case Conclude():
                    self._done = effect
                    await self._claims.append(self._work.fact(effect))
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

    def _beginning(self) -> Begin:
        return Begin(at_ms=now_ms(), avoid=self._models.keeper.avoid(self._plan.chain))

    async def _look_up(self, flight: Flight) -> None:
        answer = await flight.find()
        self.on_fact()  # A stop may have come before anybody listened.
        if answer is None or self._work.problem(answer.text) is not None:
            self.feed(self._beginning())
        else:
            self.feed(Found(at_ms=now_ms(), fact=self._work.fact(concluded(self._plan, answer, now_ms()))))

    def _start(self, start: StartCall) -> None:
        place, self._place = self._place, None
        if place is None:
            msg = f"{start} has no place"
            raise RuntimeError(msg)
        self._begin(self._asking.begin(start, place))
        late_ms = self._models.keeper.hedge_after_ms(start.model)
        if start.call == 1 and late_ms is not None:
            self._at(now_ms() + late_ms, lambda: self._late(start))

    def _late(self, start: StartCall) -> None:
        """The first call is silent beyond its model's p95: is a second one worth its while, and of which model?"""
        state = self.state
        if not isinstance(state, Calling) or state.attempt != start.attempt or state.speaker is not None:
            return
        silent = self._asking.silent(start.call)
        if silent is None:
            return
        usable = [model for model in self._plan.chain if model not in state.tries.out]
        self._place = self._models.keeper.hedge(silent, usable)
        if self._place is not None:
            self.feed(HedgeDue(at_ms=now_ms(), model=self._place.model))

    def _leave_place(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            place.leave("unused")

    def _text(self) -> str:
        return self.state.text if isinstance(self.state, Calling) else ""

    async def _publish(self) -> None:
        while self._inks:
            await self._claims.publish(self._inks.popleft())


def concluded(plan: Plan, answer: Answer, at_ms: int) -> Conclude:
    """An answer from the cache as though its model had just given it. Tokens and cost are what that saves."""
    return Conclude(
        at_ms=at_ms,
        attempt=attempt_number(plan.job, plan.delivery, 1),
        text=answer.text,
        model=answer.model,
        fell_back_from=plan.instead_of(answer.model),
        cut=None,
        cached=True,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost=answer.cost,
        first_token_ms=None,
        duration_ms=0,
    )


def _may_begin(state: AttemptState) -> bool:
    """Whether a call may follow that needs the place which is kept for it."""
    match state:
        case Admitting() | Claiming() | Withdrawing():
            return True
        case Calling(hedging=hedging) | Closing(hedging=hedging):
            return hedging is not None
        case _:
            return False
