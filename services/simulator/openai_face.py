"""OpenAI chat completions: https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from services.simulator.faces import Head, NotAQuestionError, ProtocolName, Question, counted, encode
from services.simulator.json_schema import Schema
from services.simulator.schedule import EndReason, Usage

FINISH: Final[dict[EndReason, str]] = {
    "stop": "stop",
    "length": "length",
    "refusal": "stop",
    "filtered": "content_filter",
}
ERRORS: Final[dict[int, tuple[str, str | None]]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
}
CONTEXT_LENGTH: Final = "maximum context length"
DONE: Final = b"data: [DONE]\n\n"


class Part(msgspec.Struct, frozen=True):
    """A part of a message; only text is understood."""

    type: str = "text"
    text: str = ""


class Message(msgspec.Struct, frozen=True):
    """One message."""

    role: str
    content: str | tuple[Part, ...] | None = None

    def text(self) -> str:
        """All that it says."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n\n".join(part.text for part in self.content if part.text)


class JsonSchema(msgspec.Struct, frozen=True):
    """A schema with its name."""

    name: str = ""
    schema: Schema | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """`text`, `json_object` or `json_schema`."""

    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """What else a stream tells."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct, frozen=True):
    """The request body; what is not here is ignored."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    messages: Annotated[tuple[Message, ...], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    response_format: ResponseFormat | None = None
    stream_options: StreamOptions | None = None


class OpenAI:
    """The protocol."""

    def __init__(self) -> None:
        self.name: ProtocolName = "openai"
        self.id_prefix = "chatcmpl-"
        self._decoder = msgspec.json.Decoder(ChatRequest)

    def read(self, body: bytes) -> Question:
        """Understand a request. Raises NotAQuestionError."""
        try:
            request = self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise NotAQuestionError(str(error)) from error
        schema = None
        if request.response_format is not None and request.response_format.type != "text":
            asked = request.response_format.json_schema
            schema = Schema() if asked is None or asked.schema is None else asked.schema
        system = "\n\n".join(m.text() for m in request.messages if m.role in {"system", "developer"})
        return Question(
            model=request.model,
            system=system,
            user="\n\n".join(m.text() for m in request.messages if m.role == "user"),
            schema=schema,
            stream=bool(request.stream),
            tokens_max=request.max_completion_tokens or request.max_tokens,
            include_usage=request.stream_options is not None and request.stream_options.include_usage,
        )

    def face(self, head: Head) -> OpenAIFace:
        """Begin an answer."""
        return OpenAIFace(head)

    def error(self, status: int, message: str) -> bytes:
        """The body of an error response."""
        kind, code = ERRORS.get(status, ("server_error", None))
        if CONTEXT_LENGTH in message:
            code = "context_length_exceeded"
        return encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


class OpenAIFace:
    """One answer. What chunks have in common is encoded once."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._key = "refusal" if head.refusing else "content"
        start = {"id": head.id, "object": "chat.completion.chunk", "created": head.created_s, "model": head.model}
        self._start = b"data: " + encode(start)[:-1]
        usage = b',"usage":null}\n\n' if head.include_usage else b"}\n\n"
        self._before = self._start + b',"choices":[{"index":0,"delta":{"' + self._key.encode() + b'":'
        self._after = b'},"logprobs":null,"finish_reason":null}]' + usage

    def opening(self) -> bytes:
        """Name the role."""
        content = b'"role":"assistant","content":null' if self._head.refusing else b'"role":"assistant","content":""'
        return self._start + b',"choices":[{"index":0,"delta":{' + content + self._after

    def said(self, text: str) -> bytes:
        """Send one token."""
        return self._before + encode(text) + self._after

    def ping(self) -> bytes:
        """Send a comment, as some providers do while they queue."""
        return b": ping\n\n"

    def broke(self) -> bytes:
        """Put an error where a chunk should be."""
        message = "The server had an error while processing your request."
        return b"data: " + encode({"error": {"message": message, "type": "server_error", "code": None}}) + b"\n\n"

    def ending(self, reason: EndReason, tokens: int, usage: Usage, *, doubled: bool) -> bytes:
        """Send the chunk with the reason, then the usage if it was asked for, then DONE."""
        choice: dict[str, Any] = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": FINISH[reason]}
        end = self._start + b',"choices":' + encode([choice]) + (b',"usage":null' if self._head.include_usage else b"")
        chunks = end + b"}\n\n"
        claimed = self._usage(tokens, usage)
        if self._head.include_usage and claimed is not None:
            chunks += self._start + b',"choices":[],"usage":' + encode(claimed) + b"}\n\n"
        return chunks * (2 if doubled else 1) + DONE

    def whole(self, text: str, reason: EndReason | None, tokens: int, usage: Usage) -> bytes:
        """The answer to a call that does not stream."""
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None, self._key: text}
        finish = None if reason is None else FINISH[reason]
        answer: dict[str, Any] = {
            "id": self._head.id,
            "object": "chat.completion",
            "created": self._head.created_s,
            "model": self._head.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        }
        claimed = self._usage(tokens, usage)
        return encode(answer if claimed is None else {**answer, "usage": claimed})

    def _usage(self, tokens: int, usage: Usage) -> dict[str, int] | None:
        claimed = counted(self._head.tokens_in, tokens, usage)
        if claimed is None:
            return None
        return {"prompt_tokens": claimed[0], "completion_tokens": claimed[1], "total_tokens": sum(claimed)}
