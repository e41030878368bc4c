"""A delivery's open calls: what is asked of a model, and what it says, as events of the core."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from schemas.events import AnyFact
from services.shared.attempt.effects import Conclude, StartCall
from services.shared.attempt.events import AttemptEvent, CallClosed, Counted, Ended, TextArrived, Troubled
from services.shared.attempt.look import Ask
from services.shared.attempt.models import Models
from services.shared.attempt.plan import Plan, Usage
from services.shared.clock import now_ms
from services.shared.models import client
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


class Asking:
    """Calls by number.

    `feed` tells the core, `text` is what the core has of the answer so far, and `spoken` is awaited after each piece of it.
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
        self._calls: dict[int, client.Call] = {}

    def close(self, number: int, reason: str) -> None:
        """Close a call's socket now, if it is open."""
        if number in self._calls:
            self._calls[number].close(reason)

    def close_all(self, reason: str) -> None:
        """Close every socket now."""
        for call in self._calls.values():
            call.close(reason)

    async def run(self, start: StartCall) -> None:
        """One call, from its start to its socket's end."""
        number = start.call
        try:
            call = self._models.call(start.model, self._request(start), self._plan.deadline_ms - now_ms())
        except UnknownModelError as error:
            self._trouble(number, Trouble("no_model", str(error)))
            return
        self._calls[number] = call
        try:
            async with call:
                async for event in call:
                    self._tell(number, event)
                    if isinstance(event, Text):
                        await self._spoken()
        finally:
            del self._calls[number]
        # Says nothing new of a call that came to its end by itself.
        self._feed(CallClosed(at_ms=call.closed_at_ms or now_ms(), call=number))

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

    def _tell(self, number: int, event: CallEvent) -> None:
        match event:
            case Text(text=text):
                self._feed(TextArrived(at_ms=now_ms(), call=number, text=text))
            case ClientUsage(tokens_in=tokens_in, tokens_out=tokens_out):
                self._feed(Counted(call=number, usage=Usage(tokens_in, tokens_out)))
            case Finished(reason=reason):
                problem = self._work.problem(self._text()) if reason in {"stop", "length"} else None
                self._feed(
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
        self._feed(
            Troubled(
                at_ms=now_ms(),
                call=number,
                kind=trouble.kind,
                message=trouble.message,
                retry_after_ms=trouble.retry_after_ms,
                jitter=random.random(),  # noqa: S311 -- likewise
            )
        )


def repaired(messages: tuple[Message, ...], answer: str, problem: str) -> tuple[Message, ...]:
    """The prompt of the one repair round: what was answered, and what is wrong with it."""
    said = (Message("assistant", answer),) if answer.strip() else ()
    ask = Message("user", f"That answer cannot be used: {problem}\nAnswer again, in the form that was asked for.")
    return (*messages, *said, ask)
