"""From bytes to what the model said: server-sent events, and in them the chunks of two protocols. Pure.

Sources: WHATWG HTML §9.2 (server-sent events), as far as providers use it; OpenAI "Chat completions: streaming", Anthropic
"Streaming messages". A chunk that a server sends twice does no harm unless it is a piece of text: models do stutter, and
nothing in either protocol tells one from the other.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol, TypeVar

import msgspec

from services.shared.models.errors import trouble, trouble_in_stream
from services.shared.models.events import Finished, FinishReason, Ping, StreamEvent, Text, Thinking, Usage
from services.shared.sse import Blocks, EventTooLongError

_DONE: Final = b"[DONE]"
_PING: Final = Ping()
_THINKING: Final = Thinking()

_Counted = TypeVar("_Counted")


class SseParser:
    """Incremental: the same bytes give the same events however they are cut."""

    def __init__(self) -> None:
        self._blocks = Blocks()

    def feed(self, data: bytes) -> list[bytes | None]:
        """The events that these bytes complete: each one's data, or None for a comment. EventTooLongError."""
        events: list[bytes | None] = []
        for block in self._blocks.feed(data):
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
            else:
                _read_block(block, events)
        return events


def _read_block(block: bytes, events: list[bytes | None]) -> None:
    data: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if line.startswith(b":"):
            events.append(None)
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    # `event`, `id` and `retry` say nothing here that the data does not say.
    if data:
        events.append(b"\n".join(data))


class StreamDecoder(Protocol):
    """One per call."""

    usage: Usage | None
    """The provider's count so far."""

    @property
    def ending(self) -> bool:
        """The model has said its end; only formalities may follow."""
        ...

    def feed(self, data: bytes) -> list[StreamEvent]:
        """What these bytes say; all text that they complete in a row is one `Text`."""
        ...

    def end(self) -> list[StreamEvent]:
        """What it means that no more bytes come: the held-back end, or a cut. Empty, if it had ended already."""
        ...


class _Decoder:
    """What both protocols share: events in order, text joined, one end."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._parser = SseParser()
        self._reason: FinishReason | None = None
        self._over = False
        self._texts: list[str] = []
        self._events: list[StreamEvent] = []

    @property
    def ending(self) -> bool:
        return self._reason is not None

    def feed(self, data: bytes) -> list[StreamEvent]:
        if self._over:
            return []
        try:
            for event in self._parser.feed(data):
                if event is None:
                    self._say(_PING)
                else:
                    self._read(event)
                if self._over:
                    break
        except (EventTooLongError, msgspec.DecodeError, UnicodeDecodeError):
            self._end_with_what_is_known("garbled")
        self._flush()
        events = self._events
        self._events = []
        return events

    def end(self) -> list[StreamEvent]:
        if not self._over:
            self._end_with_what_is_known("cut")
        events = self._events
        self._events = []
        return events

    def _read(self, data: bytes) -> None:
        raise NotImplementedError

    def _flush(self) -> None:
        if self._texts:
            self._events.append(Text("".join(self._texts)))
            self._texts.clear()

    def _say(self, event: StreamEvent) -> None:
        self._flush()
        self._events.append(event)

    def _fail(self, error: msgspec.Raw) -> None:
        if self._reason is None:
            self._say(trouble_in_stream(bytes(error)))
            self._over = True

    def _end_with_what_is_known(self, otherwise: Literal["cut", "garbled"]) -> None:
        """The end that the model has said, whatever went wrong after it; without one, the call failed."""
        if self._reason is None:
            self._say(trouble(otherwise))
        else:
            if self.usage is not None:
                self._say(self.usage)
            self._say(Finished(self._reason))
        self._over = True


# -- OpenAI chat completions --------------------------------------------------------------------------------------------

_OPENAI_REASONS: Final[dict[str, FinishReason]] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "refusal": "refusal",
}


class _Delta(msgspec.Struct, gc=False):
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _OpenAiUsage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class OpenAiDecoder(_Decoder):
    """Chunks of `chat.completion.chunk`; the end is `finish_reason`, `[DONE]` only confirms it."""

    def __init__(self) -> None:
        super().__init__()
        self._refusing = False

    def _read(self, data: bytes) -> None:
        if data == _DONE:
            self._end_with_what_is_known("cut")
            return
        if not data:
            return
        chunk = _decode_chunk(data)
        for choice in chunk.choices or ():
            if choice.index == 0 and self._reason is None:
                self._read_choice(choice)
        # Raw members are cheap to skip: most servers send `"usage": null` with every token.
        if bytes(chunk.usage) != b"null":
            counted = _lenient(chunk.usage, _OpenAiUsage)
            if counted is not None:
                self.usage = Usage(max(0, counted.prompt_tokens), max(0, counted.completion_tokens))
        if bytes(chunk.error) != b"null":
            self._fail(chunk.error)

    def _read_choice(self, choice: _Choice) -> None:
        delta = choice.delta
        if delta is not None:
            if delta.content:
                self._texts.append(delta.content)
            if delta.reasoning_content or delta.reasoning:
                self._say(_THINKING)
            if delta.refusal:
                self._refusing = True
                self._say(_THINKING)
        match choice.finish_reason:
            case None | "":
                return
            case "error" | "insufficient_system_resource" as word:  # OpenRouter; DeepSeek
                self._say(trouble("server_error" if word == "error" else "overloaded"))
                self._over = True
            case word:
                reason = _OPENAI_REASONS.get(word, "stop")
                self._reason = "refusal" if self._refusing else reason


# -- Anthropic messages -------------------------------------------------------------------------------------------------

_ANTHROPIC_REASONS: Final[dict[str, FinishReason]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class _Part(msgspec.Struct, gc=False):
    """A content block, or a delta of one, or of the message."""

    type: str = ""
    text: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Event(msgspec.Struct):
    type: str = ""
    delta: _Part | None = None
    content_block: _Part | None = None
    message: _Message | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _AnthropicUsage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


class AnthropicDecoder(_Decoder):
    """Events of the messages API; the end is `message_delta.stop_reason`, `message_stop` only confirms it."""

    def _read(self, data: bytes) -> None:
        if not data:
            return
        event = _decode_event(data)
        match event.type:
            case "content_block_delta" | "content_block_start":
                self._read_part(event.delta or event.content_block)
            case "message_start":
                self._count((event.message or _Message()).usage)
            case "message_delta":
                self._count(event.usage)
                self._read_end(event.delta)
            case "message_stop":
                self._end_with_what_is_known("cut")
            case "ping":
                self._say(_PING)
            case "error":
                self._fail(event.error)
            case _:
                # The protocol may grow events, and clients are asked to pass over them.
                return

    def _read_part(self, part: _Part | None) -> None:
        if part is None or self._reason is not None:
            return
        if part.type in {"text", "text_delta"}:
            if part.text:
                self._texts.append(part.text)
        elif part.type == "thinking_delta":
            self._say(_THINKING)

    def _read_end(self, delta: _Part | None) -> None:
        if delta is not None and delta.stop_reason and self._reason is None:
            self._reason = _ANTHROPIC_REASONS.get(delta.stop_reason, "stop")

    def _count(self, usage: msgspec.Raw) -> None:
        counted = _lenient(usage, _AnthropicUsage)
        if counted is None:
            return
        tokens_in = (
            (counted.input_tokens or 0)
            + (counted.cache_creation_input_tokens or 0)
            + (counted.cache_read_input_tokens or 0)
        )
        before = self.usage or Usage(0, 0)
        # Cumulative: a later count replaces an earlier one, a missing one does not.
        self.usage = Usage(max(0, tokens_in) or before.tokens_in, max(0, counted.output_tokens or before.tokens_out))


def _lenient(raw: msgspec.Raw, counted: type[_Counted]) -> _Counted | None:
    """A count that cannot be read is no count, and no reason to lose an answer."""
    try:
        return msgspec.json.decode(raw, type=counted)
    except msgspec.ValidationError:
        return None
