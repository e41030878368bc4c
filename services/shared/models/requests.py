"""What is asked of a model, and how each protocol says it: pure."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

Protocol = Literal["openai", "anthropic"]

ANTHROPIC_VERSION: Final = "2023-06-01"


class Secret:
    """A key that no repr, log or encoder shows; only `reveal` does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(…)"

    def reveal(self) -> str:
        """The key itself, for a request's header."""
        return self._value

    def scrub(self, text: str) -> str:
        """`text` without the key, should a provider repeat it."""
        return text.replace(self._value, "…") if self._value else text


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A place that answers model calls. ValueError when its address is none."""

    name: str
    protocol: Protocol = "openai"
    base_url: str
    """With the version: `https://api.example.org/v1`."""
    api_key: Secret | None = None
    max_concurrent: int | None = None
    """For whoever shares out calls; the client itself makes every call it is asked for."""
    send_ids: bool = False
    """Tell it which document, cell and attempt a call is for: only what is ours may know."""
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """OpenAI's own newer models know only the second, many compatible servers only the first."""

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            msg = f"provider {self.name}: base_url must begin with http:// or https://, not {self.base_url!r}"
            raise ValueError(msg)


class Message(msgspec.Struct, frozen=True):
    """One turn of the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class ResponseSchema(msgspec.Struct, frozen=True):
    """The JSON Schema that the answer has to fit."""

    name: str
    schema: dict[str, Any]


class CallIds(msgspec.Struct, frozen=True):
    """Whom a call is for."""

    document: str
    cell: str
    attempt: int
    call: int = 1


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question to one model, by the provider's own name for it."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = None
    response_schema: ResponseSchema | None = None
    ids: CallIds | None = None


def chat_url(provider: Provider) -> str:
    """Where calls go."""
    return provider.base_url.rstrip("/") + ("/messages" if provider.protocol == "anthropic" else "/chat/completions")


def models_url(provider: Provider) -> str:
    """Where the models are listed; the same in both protocols."""
    return provider.base_url.rstrip("/") + "/models"


def headers(provider: Provider, ids: CallIds | None = None, left_ms: int | None = None) -> dict[str, str]:
    """The headers of a call; the only place where a key is revealed. `left_ms`: after this nobody waits for the answer."""
    said = {"content-type": "application/json", "accept-encoding": "identity"}
    match provider.protocol:
        case "openai":
            if provider.api_key is not None:
                said["authorization"] = f"Bearer {provider.api_key.reveal()}"
        case "anthropic":
            said["anthropic-version"] = ANTHROPIC_VERSION
            if provider.api_key is not None:
                said["x-api-key"] = provider.api_key.reveal()
    if provider.send_ids and ids is not None:
        said["x-scriptorium-document"] = ids.document
        said["x-scriptorium-cell"] = ids.cell
        said["x-scriptorium-attempt"] = str(ids.attempt)
        said["x-scriptorium-call"] = str(ids.call)
        if left_ms is not None:
            # What is left, not a moment: the other end's clock may be another (as gRPC's `grpc-timeout`).
            said["x-scriptorium-deadline-ms"] = str(left_ms)
    return said


def body(provider: Provider, request: ChatRequest) -> bytes:
    """The JSON of a streaming call."""
    match provider.protocol:
        case "openai":
            return msgspec.json.encode(_openai(provider, request))
        case "anthropic":
            return msgspec.json.encode(_anthropic(request))


def _openai(provider: Provider, request: ChatRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "model": request.model,
        "messages": request.messages,
        provider.max_tokens_field: request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.temperature is not None:
        asked["temperature"] = request.temperature
    if request.response_schema is not None:
        asked["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": request.response_schema.name,
                "strict": True,
                "schema": request.response_schema.schema,
            },
        }
    return asked


def _anthropic(request: ChatRequest) -> dict[str, Any]:
    # The protocol keeps the system's words apart from the turns.
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    turns = [m for m in request.messages if m.role != "system"]
    if request.response_schema is not None:
        schema = msgspec.json.encode(request.response_schema.schema).decode()
        last = max((i for i, m in enumerate(turns) if m.role == "user"), default=-1)
        if last >= 0:
            content = f"{turns[last].content}\n\nAnswer with JSON only, of this schema: {schema}"
            turns[last] = Message("user", content)
    asked: dict[str, Any] = {
        "model": request.model,
        "messages": turns,
        "max_tokens": request.max_tokens,
        "stream": True,
    }
    if system:
        asked["system"] = system
    if request.temperature is not None:
        asked["temperature"] = request.temperature
    return asked
