"""A delivery's open calls: what is asked of a model, and what it says, as events of the core."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol

from schemas.events import AnyFact
from services.shared.attempt.effects import Conclude, StartCall
from services.shared.attempt.errors import manner_of
from services.shared.attempt.events import AttemptEvent, CallClosed, Counted, Ended, TextArrived, Troubled
from services.shared.attempt.look import Ask
from services.shared.attempt.models import Models
from services.shared.attempt.plan import Plan, Usage
from services.shared.clock import now_ms
from services.shared.health.keeper import Place
from services.shared.models import client
from services.shared.models.errors import trouble
from services.shared.models.events import CallEvent, Finished, Text, Thinking, Trouble
from services.shared.models.events import Usage as ClientUsage
from services.shared.models.registry import UnknownModelError
from services.shared.models.requests import CallIds, ChatRequest, Message, ResponseSchema


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


class Open:
    """One open call."""

    def __init__(self, start: StartCall, place: Place) -> None:
        self.start = start
        self.place = place
        self.call: client.Call | None = None
        """None: it is about to begin."""
        self.is_closed = False
        """From this side, and perhaps before it began."""
        self.has_ended = False
        """By itself, and the core knows."""

    def close(self, reason: str) -> None:
        """Close its socket now."""
        self.is_closed = True
        if self.call is not None:
            self.call.close(reason)


class Asking:
    """Calls by number.

    `feed` tells the core, `text` is what the core has of the answer so far, and `spoken` is awaited after each piece of it. What
    becomes of a call is told to its place first, so that the core decides by what the gatekeeper has learned from it.
    """

    def __init__(  # noqa: PLR0913, PLR0917 -- wiring
        self,
        models: Models,
        ask: Ask,
        plan: Plan,
        work: Work,
        feed: Callable[[AttemptEvent], None],
        text: Callable[[], str],
        spoken: Callable[[], Awaitable[None]],
    ) -> None:
        self._models = models
        self._ask = ask
        self._plan = plan
        self._work = work
        self._feed = feed
        self._text = text
        self._spoken = spoken
        self._open: dict[int, Open] = {}

    def begin(self, start: StartCall, place: Place) -> Coroutine[None, None, None]:
        """One call, from its start to its socket's end. From now on it can be closed, whether it has begun or not."""
        opened = self._open[start.call] = Open(start, place)
        return self._run(opened)

    def close(self, number: int, reason: str) -> None:
        """Close a call's socket now, if it is open."""
        if number in self._open:
            self._open[number].close(reason)

    def close_all(self, reason: str) -> None:
        """Close every socket now."""
        for opened in self._open.values():
            opened.close(reason)

    def silent(self, number: int) -> Place | None:
        """The place of a call that is open and has said nothing yet, no thought either."""
        opened = self._open.get(number)
        if opened is None or opened.call is None or opened.is_closed or opened.has_ended:
            return None
        return opened.place if opened.call.first_token_ms is None else None

    def give_up(self, place: Place) -> None:
        """Its model is silent altogether: this call has failed."""
        for number, opened in self._open.items():
            if opened.place is place and not (opened.is_closed or opened.has_ended):
                opened.close("slow")
                self._trouble(number, opened, trouble("slow_start"))
                return

    async def _run(self, opened: Open) -> None:
        number, at_ms = opened.start.call, now_ms()
        try:
            if not opened.is_closed:
                at_ms = await self._call(opened)
        finally:
            if self._open.get(number) is opened:
                del self._open[number]
            opened.place.leave("closed" if opened.call is not None else "unused")
        if not opened.has_ended:
            self._feed(CallClosed(at_ms=at_ms, call=number))

    async def _call(self, opened: Open) -> int:
        """When its socket was closed."""
        start = opened.start
        try:
            call = self._models.call(start.model, self._request(start), self._plan.deadline_ms - now_ms())
        except UnknownModelError as error:
            self._trouble(start.call, opened, Trouble("no_model", str(error)))
            return now_ms()
        opened.call = call
        async with call:
            async for event in call:
                if call.first_token_ms is not None:
                    opened.place.spoke(call.first_token_ms)
                self._tell(start.call, opened, event)
                if isinstance(event, Text):
                    await self._spoken()
        return call.closed_at_ms or now_ms()

    def _request(self, start: StartCall) -> ChatRequest:
        messages = self._work.messages
        if start.repair is not None:
            messages = repaired(messages, start.repair.answer, start.repair.problem)
        return ChatRequest(
            model="",
            messages=messages,
            max_tokens=self._plan.tokens_out_max,
            response_schema=self._work.response_schema,
            ids=CallIds(self._ask.document, self._ask.cell, start.attempt, start.call),
        )

    def _tell(self, number: int, opened: Open, event: CallEvent) -> None:
        match event:
            case Text(text=text):
                self._feed(TextArrived(at_ms=now_ms(), call=number, text=text))
            case ClientUsage(tokens_in=tokens_in, tokens_out=tokens_out):
                self._feed(Counted(call=number, usage=Usage(tokens_in, tokens_out)))
            case Finished(reason=reason):
                problem = self._work.problem(self._text()) if reason in {"stop", "length"} else None
                opened.has_ended = True
                opened.place.leave("finished")
                self._feed(
                    Ended(
                        at_ms=now_ms(),
                        call=number,
                        reason=reason,
                        problem=problem,
                        jitter=random.random(),  # noqa: S311 -- spreads retries, keeps no secret
                        avoid=self._models.keeper.avoid(self._plan.chain),
                    )
                )
            case Trouble():
                self._trouble(number, opened, event)
            case Thinking():
                pass

    def _trouble(self, number: int, opened: Open, trouble: Trouble) -> None:
        opened.has_ended = True
        opened.place.leave(manner_of(trouble.kind), trouble.retry_after_ms)
        self._feed(
            Troubled(
                at_ms=now_ms(),
                call=number,
                kind=trouble.kind,
                message=trouble.message,
                retry_after_ms=trouble.retry_after_ms,
                jitter=random.random(),  # noqa: S311 -- likewise
                avoid=self._models.keeper.avoid(self._plan.chain, opened.start.model),
            )
        )


def repaired(messages: tuple[Message, ...], answer: str, problem: str) -> tuple[Message, ...]:
    """The prompt of the one repair round: what was answered, and what is wrong with it."""
    said = (Message("assistant", answer),) if answer.strip() else ()
    ask = Message("user", f"That answer cannot be used: {problem}\nAnswer again, in the form that was asked for.")
    return (*messages, *said, ask)
