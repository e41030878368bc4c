"""The shell around a schedule: performs its steps on one connection, and watches that connection close."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from email.utils import formatdate
from typing import Any, Final, NoReturn

import msgspec

from services.shared.clock import monotonic_ms, now_exact_ms
from services.simulator.faces import Face, Language
from services.simulator.record import CallRecord, Outcome
from services.simulator.schedule import AnyStep, Broke, Cut, Ended, Hollow, Opened, Pinged, Rejected, Said

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STREAM_HEADERS: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
HALF: Final = " The sources"
HALF_LESS: Final = 24
"""So much is missing of the chunk that a call ends in the middle of: some of its closing brackets in either protocol."""
JSON_HEADERS: Final = [(b"content-type", b"application/json")]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One connection, and what is to be heard on it."""

    language: Language
    face: Face
    record: CallRecord
    send: Send
    reset: Callable[[], None] | None
    began_ms: float
    """On the monotonic clock; the steps count from here."""


async def watch(receive: Receive) -> float:
    """Wait until the connection closes, or the response is over; the moment, on the wall clock."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return now_exact_ms()


async def perform(stage: Stage, steps: Iterator[AnyStep], receive: Receive) -> tuple[Outcome, float]:
    """Perform the steps until they are over or the client has gone: how it ended, and when."""
    acting = asyncio.create_task(_act(stage, steps))
    watching = asyncio.create_task(watch(receive))
    try:
        await asyncio.wait({acting, watching}, return_when=asyncio.FIRST_COMPLETED)
        if acting.done():
            return acting.result(), now_exact_ms()
        return "client_gone", watching.result()
    finally:
        acting.cancel()
        watching.cancel()


async def _act(stage: Stage, steps: Iterator[AnyStep]) -> Outcome:
    if stage.record.stream:
        return await _stream(stage, steps)
    return await _answer_at_once(stage, steps)


async def _until(stage: Stage, at_ms: float) -> None:
    late_ms = monotonic_ms() - stage.began_ms - at_ms
    if late_ms < 0:
        await asyncio.sleep(-late_ms / 1_000)


async def _stream(stage: Stage, steps: Iterator[AnyStep]) -> Outcome:
    record, face = stage.record, stage.face
    for step in steps:
        await _until(stage, step.at_ms)
        match step:
            case Said(text=text):
                # Counted first: whoever sees the client go sees what had been on its way.
                record.tokens_sent += 1
                await _body(stage, face.said(text))
                record.last_token_at_ms = now_exact_ms()
                if record.first_token_at_ms is None:
                    record.first_token_at_ms = record.last_token_at_ms
            case Opened():
                if record.status is None:
                    await _head(stage, 200, STREAM_HEADERS)
                await _body(stage, face.opening())
            case Hollow():
                await _body(stage, face.said(""))
            case Pinged():
                await _body(stage, face.ping())
            case _:
                return await _last(stage, step)
    return "failed"


async def _last(stage: Stage, step: Ended | Broke | Cut | Rejected) -> Outcome:
    """How a stream ends, well or badly."""
    face = stage.face
    match step:
        case Ended(reason=reason, usage=usage, doubled=doubled):
            await _body(stage, face.ending(reason, stage.record.tokens_sent, usage, doubled=doubled), more=False)
            return "finished"
        case Broke():
            await _body(stage, face.broke(), more=False)
        case Cut(how="hard"):
            _reset(stage)
        case Cut(how="json"):
            chunk = face.said(HALF)
            await _body(stage, chunk[: len(chunk) - HALF_LESS], more=False)
        case Cut():
            await _body(stage, b"", more=False)
        case Rejected():
            await _reject(stage, step)
    return "failed"


async def _answer_at_once(stage: Stage, steps: Iterator[AnyStep]) -> Outcome:
    """The same steps for a call that does not stream: all is collected, and comes in one piece or not at all."""
    record, face = stage.record, stage.face
    words: list[str] = []
    for step in steps:
        match step:
            case Said(text=text):
                words.append(text)
                record.tokens_sent += 1
            case Ended(at_ms=at_ms, reason=reason, usage=usage):
                await _until(stage, at_ms)
                await _whole(stage, 200, face.whole("".join(words), reason, record.tokens_sent, usage))
                record.first_token_at_ms = record.last_token_at_ms = now_exact_ms()
                return "finished"
            case Broke(at_ms=at_ms):
                await _until(stage, at_ms)
                message = "The server had an error while processing your request."
                await _whole(stage, 500, stage.language.error(500, message))
            case Cut(at_ms=at_ms, how=how):
                await _until(stage, at_ms)
                body = face.whole("".join(words), None, record.tokens_sent, "absent")
                if how == "clean":
                    await _whole(stage, 200, body)
                else:
                    await _head(stage, 200, JSON_HEADERS)
                    await _body(stage, body[: len(body) // 2], more=how == "hard")
                if how == "hard":
                    _reset(stage)
            case Rejected(at_ms=at_ms):
                await _until(stage, at_ms)
                await _reject(stage, step)
            case Opened() | Hollow() | Pinged():
                pass
    return "failed"


def _reset(stage: Stage) -> None:
    if stage.reset is None:
        _unfinished()
    stage.reset()


def _unfinished() -> NoReturn:
    message = "this server offers no way to reset a connection: run it with ResettableProtocol"
    raise RuntimeError(message)


async def _reject(stage: Stage, step: Rejected) -> None:
    headers = list(JSON_HEADERS)
    if step.retry_after == "seconds":
        headers.append((b"retry-after", f"{step.retry_after_s:g}".encode()))
    elif step.retry_after == "date":
        at_s = now_exact_ms() / 1_000 + step.retry_after_s
        headers.append((b"retry-after", formatdate(math.ceil(at_s), usegmt=True).encode()))
    await _whole(stage, step.status, stage.language.error(step.status, step.message), headers)


async def _whole(stage: Stage, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    length = (b"content-length", str(len(body)).encode())
    await _head(stage, status, [*(headers or JSON_HEADERS), length])
    await _body(stage, body, more=False)


async def _head(stage: Stage, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    stage.record.status = status
    await stage.send({"type": "http.response.start", "status": status, "headers": headers})


async def _body(stage: Stage, body: bytes, *, more: bool = True) -> None:
    await stage.send({"type": "http.response.body", "body": body, "more_body": more})
