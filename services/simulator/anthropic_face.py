"""Anthropic messages: https://docs.anthropic.com/en/api/messages-streaming."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from services.simulator.faces import Head, NotAQuestionError, ProtocolName, Question, counted, encode
from services.simulator.openai_face import Message, Part
from services.simulator.schedule import EndReason, Usage

STOP: Final[dict[EndReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "refusal": "refusal",
    "filtered": "refusal",
}
ERRORS: Final[dict[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class MessagesRequest(msgspec.Struct, frozen=True):
    """The request body; what is not here is ignored."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    messages: Annotated[tuple[Message, ...], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    system: str | tuple[Part, ...] = ""
    stream: bool | None = None


class Anthropic:
    """The protocol."""

    def __init__(self) -> None:
        self.name: ProtocolName = "anthropic"
        self.id_prefix = "msg_"
        self._decoder = msgspec.json.Decoder(MessagesRequest)

    def read(self, body: bytes) -> Question:
        """Understand a request. Raises NotAQuestionError."""
        try:
            request = self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise NotAQuestionError(str(error)) from error
        return Question(
            model=request.model,
            system=Message("system", request.system).text(),
            user="\n\n".join(m.text() for m in request.messages if m.role == "user"),
            stream=bool(request.stream),
            tokens_max=request.max_tokens,
            include_usage=True,
        )

    def face(self, head: Head) -> AnthropicFace:
        """Begin an answer."""
        return AnthropicFace(head)

    def error(self, status: int, message: str) -> bytes:
        """The body of an error response."""
        return encode({"type": "error", "error": {"type": ERRORS.get(status, "api_error"), "message": message}})


class AnthropicFace:
    """One answer."""

    def __init__(self, head: Head) -> None:
        self._head = head
        before = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
        self._before = f"event: content_block_delta\ndata: {before}".encode()
        self._after = b"}}\n\n"

    def opening(self) -> bytes:
        """Begin the message and its only block."""
        usage = {"input_tokens": self._head.tokens_in, "output_tokens": 1}
        message: dict[str, Any] = {**self._message(None), "content": [], "usage": usage}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return _event({"type": "message_start", "message": message}) + _event(block) + self.ping()

    def said(self, text: str) -> bytes:
        """Send one token."""
        return self._before + encode(text) + self._after

    def ping(self) -> bytes:
        """Send the protocol's own ping."""
        return b'event: ping\ndata: {"type":"ping"}\n\n'

    def broke(self) -> bytes:
        """Put an error where a chunk should be."""
        return _event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})

    def ending(self, reason: EndReason, tokens: int, usage: Usage, *, doubled: bool) -> bytes:
        """Close the block, then the message."""
        delta: dict[str, Any] = {
            "type": "message_delta",
            "delta": {"stop_reason": STOP[reason], "stop_sequence": None},
        }
        claimed = counted(self._head.tokens_in, tokens, usage)
        if claimed is not None:
            delta["usage"] = {"output_tokens": claimed[1]}
        events = _event({"type": "content_block_stop", "index": 0}) + _event(delta)
        return events * (2 if doubled else 1) + _event({"type": "message_stop"})

    def whole(self, text: str, reason: EndReason | None, tokens: int, usage: Usage) -> bytes:
        """The answer to a call that does not stream."""
        answer = {**self._message(reason), "content": [{"type": "text", "text": text}]}
        claimed = counted(self._head.tokens_in, tokens, usage)
        if claimed is not None:
            answer["usage"] = {"input_tokens": claimed[0], "output_tokens": claimed[1]}
        return encode(answer)

    def _message(self, reason: EndReason | None) -> dict[str, Any]:
        stop = None if reason is None else STOP[reason]
        return {
            "id": self._head.id,
            "type": "message",
            "role": "assistant",
            "model": self._head.model,
            "stop_reason": stop,
            "stop_sequence": None,
        }


def _event(data: dict[str, Any]) -> bytes:
    return b"event: " + data["type"].encode() + b"\ndata: " + encode(data) + b"\n\n"
