"""A document's log of facts: read it from any sequence, append to it where it was expected to end."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NoStreamResponseError

from schemas import subjects
from schemas.events import AnyFact, encode
from services.shared.bus import REQUEST_TIMEOUT_S, Bus

WRONG_LAST_SEQUENCE = 10071
BATCH = 512
HEADER_SUBJECT = "Nats-Subject"
APPEND_TRY_S = 1.0
"""An answer that was lost with its server is not worth waiting for: the same fact again under the same id does no harm."""
APPEND_PATIENCE_S = 30.0
RETRY_S = 0.1


class Stored(NamedTuple):
    """A message as its stream has it."""

    sequence: int
    data: bytes
    subject: str


class ConflictError(Exception):
    """Somebody was first: the log ends at `last`, not where it was expected to."""

    def __init__(self, last: int) -> None:
        super().__init__(f"the log ends at {last}")
        self.last = last


class BusUnavailableError(Exception):
    """The bus did not answer for so long that what became of a request is unknown."""


async def read(
    client: Client, stream: str, subject: str, after: int = 0, only: int | None = None
) -> AsyncIterator[Stored]:
    """What a stream has of one subject beyond a sequence, in order, by batched direct get (NATS ADR-31); `only`: not more."""
    inbox = client.new_inbox()
    replies = await client.subscribe(inbox, pending_msgs_limit=-1, pending_bytes_limit=-1)
    try:
        pending = True
        while pending:
            ask = {"seq": after + 1, "next_by_subj": subject, "batch": only or BATCH}
            await client.publish(subjects.direct_get(stream), msgspec.json.encode(ask), reply=inbox)
            while True:
                try:
                    message = await replies.next_msg(timeout=REQUEST_TIMEOUT_S)
                except (NatsError, TimeoutError) as error:
                    msg = f"no answer from {stream}"
                    raise BusUnavailableError(msg) from error
                headers = message.headers or {}
                if headers.get("Status"):
                    there_is_more = headers.get("Status") == "204" and headers.get("Nats-Num-Pending", "0") != "0"
                    pending = there_is_more and only is None
                    break
                after = int(headers[subjects.HEADER_SEQUENCE])
                yield Stored(after, message.data, headers.get(HEADER_SUBJECT, ""))
    finally:
        await replies.unsubscribe()


async def append(bus: Bus, document: str, fact: AnyFact, expected: int | None = None) -> int:
    """Append one fact and return its sequence.

    With `expected`, only if the document's last fact is at that sequence (0: there is none), else ConflictError with where it
    is. A time-out means unknown, never failed: the same message is sent again under the same id until it is known what became
    of it; after APPEND_PATIENCE_S, BusUnavailableError.
    """
    data = encode(fact)
    headers = {subjects.HEADER_MESSAGE_ID: hashlib.sha256(document.encode() + data).hexdigest()}
    if expected is not None:
        headers[subjects.HEADER_EXPECTED] = str(expected)
    try:
        async with asyncio.timeout(APPEND_PATIENCE_S):
            while True:
                try:
                    ack = await bus.js.publish(subjects.facts(document), data, timeout=APPEND_TRY_S, headers=headers)
                except APIError as error:
                    if error.err_code != WRONG_LAST_SEQUENCE:
                        raise
                    last = await _last(bus, document)
                    if last is not None and last.data == data:
                        return last.sequence  # The first try had arrived after all.
                    raise ConflictError(_sequence_in(error) if last is None else last.sequence) from error
                except (NatsError, NoStreamResponseError, TimeoutError):
                    await asyncio.sleep(RETRY_S)
                else:
                    return ack.seq
    except TimeoutError as error:
        msg = f"{type(fact).__name__} of {document} was not acknowledged"
        raise BusUnavailableError(msg) from error


async def _last(bus: Bus, document: str) -> Stored | None:
    ask = msgspec.json.encode({"last_by_subj": subjects.facts_stored(document)})
    message = await bus.client.request(subjects.direct_get(subjects.FACTS), ask, timeout=REQUEST_TIMEOUT_S)
    headers = message.headers or {}
    if headers.get("Status"):
        return None
    return Stored(int(headers[subjects.HEADER_SEQUENCE]), message.data, headers.get(HEADER_SUBJECT, ""))


def _sequence_in(error: APIError) -> int:
    found = re.search(r"(\d+)$", error.description or "")
    return int(found[1]) if found else 0
