"""Finished answers by what was asked, so that nothing is written twice: neither later nor at the same time.

A key stands for all that a model would be told: the cell's input digest, the very messages, the form asked for, the models in
question, the limit of length, and the one document that may use it, unless it is shared. Who finds something under a key has
therefore had every word of the question before, sources included, and learns nothing from the answer that its own call would not
have said. What a hit does tell is that somebody has asked exactly this; so documents share only where both say so (docs/adr/0013).

Under a key there is an answer, or the claim of a writer that is at work on it. A claim ends by itself unless it is renewed; who
finds one waits for what becomes of it. The cache is a comfort: where it does not answer, the model is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from schemas import streams, subjects
from schemas.cells import digest
from services.shared.attempt.effects import Conclude
from services.shared.bus import Bus
from services.shared.log import WRONG_LAST_SEQUENCE
from services.shared.models.requests import Message, ResponseSchema

log = logging.getLogger(__name__)

KEYS = 1
"""Counted up when what an answer means changes."""
STREAM = f"KV_{subjects.CACHE}"
ANSWER_S = 1.0
RENEW_S = streams.CLAIM_TTL_S / 3
WAIT_S = streams.CLAIM_TTL_S + 1.0
"""A claim that was not renewed is over after this, even if the message that says so was lost."""
UNAVAILABLE = (NatsError, APIError, NoStreamResponseError, TimeoutError)


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """What a model said, and what that cost."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    cost: float


class Claimed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag=True):
    """Somebody is at work on it."""

    writer: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer | Claimed).decode


class Question(NamedTuple):
    """What an answer is kept under, and whether there can be one already: looking costs a round trip before the first token."""

    key: str
    may_be_answered: bool


class Entry(NamedTuple):
    """What is under a key, and the sequence to write after."""

    sequence: int
    value: Answer | Claimed | None


def key_of(  # noqa: PLR0913 -- all that an answer depends on
    *,
    document: str,
    input_digest: str,
    messages: Sequence[Message],
    form: ResponseSchema | None,
    chain: Sequence[str],
    tokens_out_max: int,
) -> str:
    """The name of a question. `document` is empty for one whose answer may be shared."""
    said = [(message.role, message.content) for message in messages]
    asked = None if form is None else (form.name, form.schema)
    question = digest([KEYS, document, input_digest, said, asked, list(chain), tokens_out_max])
    return subjects.cache_key(document, question)


def answer_of(done: Conclude) -> Answer | None:
    """What is kept of an answer; None of one that was cut off."""
    if done.cut is not None:
        return None
    return Answer(
        text=done.text, model=done.model, tokens_in=done.tokens_in, tokens_out=done.tokens_out, cost=done.cost
    )


class Flight:
    """One delivery's way through the cache: look, wait while another writes, claim, and say what came of it."""

    def __init__(self, bus: Bus, question: Question, writer: str) -> None:
        self.looks = question.may_be_answered
        self._bus = bus
        self._key = question.key
        self._writer = writer
        self._claim: int | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def find(self) -> Answer | None:
        """The answer, as soon as there is one; None: it is this writer's to find."""
        try:
            return await self._find()
        except UNAVAILABLE as error:
            log.warning("without the cache: %s", error)
            return None

    async def close(self, done: Conclude | None) -> None:
        """Keep what the model said, or let somebody else try."""
        if self._renewing is not None:
            self._renewing.cancel()
        answer = None if done is None else answer_of(done)
        try:
            if answer is not None:
                await self._write(_encode(answer), self._claim)
            elif self._claim is not None:
                await self._write(b"", self._claim, ttl_s=streams.CLAIM_TTL_S)
        except UNAVAILABLE as error:
            log.warning("not kept: %s", error)

    async def _find(self) -> Answer | None:
        moved = asyncio.Event()

        async def heard(_message: object) -> None:
            moved.set()

        subscription = None
        try:
            while True:
                moved.clear()
                entry = await self._read()
                if isinstance(entry.value, Answer):
                    return entry.value
                if entry.value is None:
                    self._claim = await self._write(
                        _encode(Claimed(writer=self._writer)), entry.sequence, ttl_s=streams.CLAIM_TTL_S
                    )
                    if self._claim is not None:
                        self._renewing = asyncio.create_task(self._renew())
                        return None
                elif subscription is None:
                    # First, and then look again: what is said from here on is heard.
                    subscription = await self._bus.client.subscribe(subjects.live_cache(self._key), cb=heard)
                else:
                    await _within(WAIT_S, moved)
        finally:
            if subscription is not None and not self._bus.client.is_closed:
                await subscription.unsubscribe()

    async def _read(self) -> Entry:
        ask = msgspec.json.encode({"last_by_subj": subjects.kv(subjects.CACHE, self._key)})
        message = await self._bus.client.request(subjects.direct_get(STREAM), ask, timeout=ANSWER_S)
        headers = message.headers or {}
        if headers.get("Status"):
            return Entry(0, None)
        # Deletions and the markers of what has run out are empty.
        return Entry(int(headers[subjects.HEADER_SEQUENCE]), _decode(message.data) if message.data else None)

    async def _write(self, value: bytes, expected: int | None, ttl_s: float | None = None) -> int | None:
        """The sequence; None where somebody else wrote first."""
        headers: dict[str, str] = {} if value else {"KV-Operation": "DEL"}
        if expected is not None:
            headers[subjects.HEADER_EXPECTED] = str(expected)
        subject = subjects.kv(subjects.CACHE, self._key)
        try:
            ack = await self._bus.js.publish(subject, value, timeout=ANSWER_S, headers=headers, msg_ttl=ttl_s)
        except APIError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            return None
        return ack.seq

    async def _renew(self) -> None:
        claim = _encode(Claimed(writer=self._writer))
        while self._claim is not None:
            await asyncio.sleep(RENEW_S)
            try:
                self._claim = await self._write(claim, self._claim, ttl_s=streams.CLAIM_TTL_S)
            except UNAVAILABLE as error:
                log.warning("could not renew a claim: %s", error)


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
