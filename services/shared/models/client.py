"""The shell of a model call: one call, one connection, and closing it is the cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec
from aiohttp.http_exceptions import ContentEncodingError

from services.shared.clock import monotonic_ms, now_ms
from services.shared.models.errors import trouble, trouble_of_response
from services.shared.models.events import CallEvent, Finished, Ping, StreamEvent, Text, Thinking, Trouble, Usage
from services.shared.models.lines import AnthropicDecoder, OpenAiDecoder
from services.shared.models.requests import ChatRequest, Provider, body, chat_url, headers, models_url

ERROR_BODY_BYTES_MAX = 64 * 1024
PENDING_CHARACTERS_MAX = 256 * 1024
"""Text that a consumer may leave lying; beyond that the network waits for it."""
FORMALITIES_MS_MAX = 1_000
"""From the model's own end to the provider's (usage, `[DONE]`, last chunk). After it, the connection is given up."""
UNREAD_SHARE = 0.1
UNREAD_MS_MAX = 250
"""By so much of its limit a silence is overdrawn: a process that was frozen, or had no processor, has yet to read what was said."""
KEPT_MS_MAX = 30_000
USER_AGENT = "scriptorium"
LIST_MS_MAX = 5_000
OK: Final = 200


class CallLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call may take. Content counts, pings and empty chunks do not."""

    first_token_ms: int = 60_000
    between_tokens_ms: int = 20_000
    deadline_ms: int | None = None
    """Time that is left for all of it, from now."""


class ModelClient:
    """One provider's connections. Makes every call it is asked for, once: no retries, no redirects, no proxies."""

    def __init__(self, provider: Provider, *, connect_ms: int = 5_000) -> None:
        self.provider = provider
        # Reading has watchdogs of its own, which know content from noise.
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_ms / 1_000)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_MS_MAX / 1_000)
        self._http = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": USER_AGENT},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the kept connections. Calls have their own end."""
        await self._http.close()

    def stream(self, request: ChatRequest, limits: CallLimits | None = None) -> Call:
        """A call that begins with `async with`; its events come by `async for`. Never raises for what providers do."""
        return Call(self._http, self.provider, request, limits or CallLimits())

    async def list_models(self) -> tuple[str, ...] | Trouble:
        """The names the provider knows, or why it does not say."""
        try:
            async with asyncio.timeout(LIST_MS_MAX / 1_000):
                asked = self._http.get(models_url(self.provider), headers=headers(self.provider), allow_redirects=False)
                async with asked as response:
                    said = await response.read()
        except (TimeoutError, aiohttp.ClientError):
            return trouble("connection")
        if response.status != OK:
            return trouble_of_response(response.status, _lower(response), said, now_ms())
        try:
            return tuple(model.id for model in msgspec.json.decode(said, type=_Models).data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return trouble("garbled")


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class Call:
    """One request and its answer.

    A task of its own reads the network, so that a cancelled consumer never stands in the middle of the HTTP library, and
    so that everything which came while the consumer was busy reaches it as one `Text`.

    Iterating ends after one `Finished` or `Trouble`; it ends without either only if the caller closed the call.
    """

    def __init__(
        self, http: aiohttp.ClientSession, provider: Provider, request: ChatRequest, limits: CallLimits
    ) -> None:
        self.close_reason: str | None = None
        """Why the connection was closed from this side, set before it is; None: it was not."""
        self.closed_at_ms: int | None = None
        """When it was closed, or free for another call (Unix epoch)."""
        self.first_token_ms: int | None = None
        """From the start to the first content, reasoning included."""
        self.usage: Usage | None = None
        """The provider's own count, as soon as it has told it."""
        self._http = http
        self._provider = provider
        self._request = request
        self._limits = limits
        self._decoder = AnthropicDecoder() if provider.protocol == "anthropic" else OpenAiDecoder()
        self._pending: list[CallEvent] = []
        self._pending_characters = 0
        self._taken = asyncio.Event()
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._started_ms = 0.0
        self._content_ms: float | None = None
        self._ending_ms: float | None = None
        self._doubted_ms: float | None = None
        """A limit that was passed in silence, and has been looked at once."""

    # -- The caller's side ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._started_ms = monotonic_ms()
        self._reader = asyncio.create_task(self._read(), name="model call")
        self._reader.add_done_callback(self._read_ended)
        self._watch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("left" if kind is None else "cancelled" if kind is asyncio.CancelledError else "failed")
        if self._reader is not None:
            # Only waits: a second cancellation ends the waiting, and the reader's end is on its way already.
            await asyncio.wait((self._reader,))

    def close(self, reason: str) -> None:
        """Close the connection now and end the iteration. Nothing to do, if the answer has ended already.

        Any task may call it, any number of times; the first reason stays.
        """
        if self._ended:
            return
        self._end()
        self._cut(reason)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CallEvent:
        if self._reader is None:
            msg = "a call begins with `async with`"
            raise RuntimeError(msg)
        while not self._pending:
            if self._ended:
                self._raise_bug()
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        event = self._pending.pop(0)
        if isinstance(event, Text):
            self._pending_characters -= len(event.text)
            self._taken.set()
        return event

    # -- The network's side --------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._http.post(
                chat_url(self._provider),
                data=body(self._provider, self._request),
                headers=headers(self._provider, self._request.ids, self._limits.deadline_ms),
                allow_redirects=False,
            )
            if response.status != OK or response.content_type == "application/json":
                await self._read_refusal(response)
            else:
                await self._read_stream(response)
        except aiohttp.ClientPayloadError as error:
            encoded = isinstance(error.__cause__, ContentEncodingError)
            self._say((trouble("garbled"),) if encoded else self._decoder.end())
        except aiohttp.ClientError:
            self._say(self._decoder.end() if response is not None else (trouble("connection"),))
        finally:
            if response is not None:
                # One that was read to its end has given its connection back already; any other is closed here, at once.
                response.close()

    async def _read_stream(self, response: aiohttp.ClientResponse) -> None:
        decoder = self._decoder
        async for data in response.content.iter_any():
            self._say(decoder.feed(data))
            self.usage = decoder.usage
            if self._ended and self._ending_ms is None:
                # Nothing of what may follow is wanted, so the connection is not worth keeping.
                return
            if self._pending_characters > PENDING_CHARACTERS_MAX:
                await self._let_the_consumer_catch_up()
        # The last chunk has been read: this connection can serve another call.
        self._say(decoder.end())

    async def _read_refusal(self, response: aiohttp.ClientResponse) -> None:
        said = bytearray()
        # The status says enough, should the body break off.
        with contextlib.suppress(aiohttp.ClientError):
            async for data in response.content.iter_any():
                said += data
                if len(said) > ERROR_BODY_BYTES_MAX:
                    break
        if response.status == OK and b'"error"' not in said:
            self._say((trouble("garbled"),))
            return
        self._say((trouble_of_response(response.status, _lower(response), bytes(said), now_ms()),))

    async def _let_the_consumer_catch_up(self) -> None:
        while self._pending_characters > PENDING_CHARACTERS_MAX:
            self._taken.clear()
            await self._taken.wait()
            # The model was not silent, it was not listened to.
            self._content_ms = monotonic_ms()

    def _say(self, events: tuple[StreamEvent, ...] | list[StreamEvent]) -> None:
        """Hand events to the consumer, which gets all text that it has not taken yet in one piece."""
        for event in events:
            if self._ended:
                return
            if isinstance(event, Ping):
                continue
            if isinstance(event, Trouble) and self._provider.api_key is not None:
                said = msgspec.structs.replace(event, message=self._provider.api_key.scrub(event.message))
                self._put(said)
            else:
                self._put(event)
        if self._decoder.ending and self._ending_ms is None:
            self._ending_ms = monotonic_ms()
            self._watch()

    def _put(self, event: CallEvent) -> None:
        match event:
            case Finished() | Trouble():
                self._end()
            case Usage():
                self.usage = event
            case _:
                self._note_content()
        last = self._pending[-1] if self._pending else None
        if isinstance(event, Text):
            self._pending_characters += len(event.text)
            if isinstance(last, Text):
                self._pending[-1] = Text(last.text + event.text)
                return
        elif isinstance(event, Thinking) and isinstance(last, Thinking):
            return
        self._pending.append(event)
        self._wake()

    def _note_content(self) -> None:
        now = monotonic_ms()
        first = self._content_ms is None
        self._content_ms = now
        if first:
            self.first_token_ms = round(now - self._started_ms)
            # From here on the shorter limit holds; later content only moves it away, and the timer finds that out.
            self._watch()

    # -- Ends ----------------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """End the call if a limit has passed, else look again when the next one may have."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if self._reader is None or self._reader.done():
            return
        now = monotonic_ms()
        limits = self._limits
        if self._ending_ms is not None:
            kind, at = None, self._ending_ms + FORMALITIES_MS_MAX
        elif self._pending_characters > PENDING_CHARACTERS_MAX:
            kind, at = None, now + limits.between_tokens_ms
        elif self._content_ms is None:
            kind, at = "slow_start", self._started_ms + limits.first_token_ms
        else:
            kind, at = "stalled", self._content_ms + limits.between_tokens_ms
        if limits.deadline_ms is not None and self._started_ms + limits.deadline_ms < at:
            kind, at = "deadline", self._started_ms + limits.deadline_ms
        wait_ms = at - now
        if wait_ms <= 0 and kind in {"slow_start", "stalled"} and self._doubted_ms != at:
            self._doubted_ms = at
            limit_ms = limits.first_token_ms if kind == "slow_start" else limits.between_tokens_ms
            wait_ms = min(UNREAD_SHARE * limit_ms, UNREAD_MS_MAX)
        if wait_ms > 0:
            self._watchdog = asyncio.get_running_loop().call_later(wait_ms / 1_000, self._watch)
            return
        self._say(self._decoder.end() if kind is None else (trouble(kind),))
        self._cut(kind or "finished")

    def _cut(self, reason: str) -> None:
        """Close the socket. The reason comes first: who sees the closing can look it up."""
        if self._reader is None or self._reader.done():
            return
        self.close_reason = self.close_reason or reason
        self._reader.cancel()

    def _end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _read_ended(self, _reader: asyncio.Task[None]) -> None:
        self.closed_at_ms = now_ms()
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._end()

    def _raise_bug(self) -> None:
        """What the reader did not foresee is a bug, and is raised as what it is."""
        reader = self._reader
        if reader is not None and reader.done() and not reader.cancelled() and (error := reader.exception()):
            raise error


def _lower(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
