"""How providers say no, and what it means: pure.

Sources: OpenAI "Error codes", Anthropic "Errors", RFC 9110 §10.2.3 (Retry-After); what compatible servers add is noted
where it is handled.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from services.shared.models.events import FinishReason, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.values import ErrorKind

QUOTED_CHARACTERS_MAX = 200
RETRY_AFTER_MS_MAX = 86_400_000
SERVER_ERROR = 500

_BY_STATUS: Final[Mapping[int, ErrorKind]] = {
    400: "bad_request",
    401: "unauthorized",
    402: "unauthorized",
    403: "unauthorized",
    404: "model_unknown",
    408: "server_error",
    413: "context_length",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}

# Codes and types, OpenAI's and Anthropic's. They say more than the status, and are all there is inside a stream.
_BY_WORD: Final[Mapping[str, ErrorKind]] = {
    "api_error": "server_error",
    "authentication_error": "unauthorized",
    "billing_error": "unauthorized",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "context_length_exceeded": "context_length",
    # A 429 that no waiting cures: the account is empty.
    "insufficient_quota": "unauthorized",
    "internal_server_error": "server_error",
    "invalid_api_key": "unauthorized",
    "invalid_request_error": "bad_request",
    "model_not_found": "model_unknown",
    "not_found_error": "model_unknown",
    "overloaded_error": "overloaded",
    "permission_error": "unauthorized",
    "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited",
    "request_too_large": "context_length",
    "server_error": "server_error",
    "string_above_max_length": "context_length",
    "timeout_error": "server_error",
}

# They say whose fault it is, and no more: OpenAI and its like send `server_error` with a 503, Anthropic `api_error` with any 5xx.
_BROAD: Final = frozenset({"api_error", "internal_server_error", "invalid_request_error", "server_error"})

# Most compatible servers tell an overlong prompt from another bad request in their sentence only.
_OVERLONG: Final = (
    "context length",
    "context window",
    "context size",
    "maximum context",
    "prompt is too long",
    "too many tokens",
    "input is too long",
    "exceed context limit",
)

_SENTENCES: Final[Mapping[ErrorKind, str]] = {
    "rate_limited": "The model's provider asked for fewer calls.",
    "overloaded": "The model's provider is overloaded.",
    "server_error": "The model's provider had an error of its own.",
    "connection": "The model's provider could not be reached.",
    "cut": "The answer broke off before its end.",
    "stalled": "The model fell silent in the middle of its answer.",
    "slow_start": "The model did not begin to answer in time.",
    "garbled": "The model's provider sent something that cannot be read.",
    "refused": "The model refused to answer.",
    "context_length": "The prompt is too long for this model.",
    "unauthorized": "The model's provider did not accept the key, or the account's credit is used up.",
    "bad_request": "The model's provider did not accept the request.",
    "model_unknown": "The model's provider does not know this model.",
    "deadline": "There was no time left for the answer.",
}

# Where the provider's own words help whoever has to mend it. Others stay out: they name keys, accounts and hosts.
_QUOTED: Final[frozenset[ErrorKind]] = frozenset({"bad_request", "context_length", "model_unknown", "server_error"})


class _Said(msgspec.Struct, frozen=True):
    """What an error's body says about itself. OpenRouter gives `code` as a number, vLLM as the status."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None


class _Body(msgspec.Struct, frozen=True):
    """`{"error": {…}}` or `{"error": "…"}`; FastAPI servers say `{"detail": …}`."""

    error: _Said | str | None = None
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    detail: str | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_said = msgspec.json.Decoder(_Said | str | None).decode


def trouble(kind: ErrorKind, said: str = "", retry_after_ms: int | None = None) -> Trouble:
    """`kind` in a reader's words; `said` (the provider's) is quoted, shortened, where that helps."""
    sentence = _SENTENCES[kind]
    quoted = " ".join("".join(c if c.isprintable() else " " for c in said).split()) if kind in _QUOTED else ""
    if len(quoted) > QUOTED_CHARACTERS_MAX:
        quoted = quoted[: QUOTED_CHARACTERS_MAX - 1] + "…"
    return Trouble(kind, f"{sentence} It said: {quoted}" if quoted else sentence, retry_after_ms)


def trouble_of_response(status: int, headers: Mapping[str, str], body: bytes, now_ms: int) -> Trouble:
    """A response that is not a stream. `headers` by lower-case name; `now_ms` (Unix epoch) is what dates are relative to."""
    said = _said_in(body)
    return trouble(_kind(status, said), said.message or "", retry_after_ms(headers, now_ms))


def trouble_in_stream(error: bytes) -> Trouble:
    """An error object, or sentence, that came inside a stream after 200: the JSON value of its `error` member."""
    try:
        said = _decode_said(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return trouble("server_error")
    found = said if isinstance(said, _Said) else _Said(message=said)
    return trouble(_kind(SERVER_ERROR, found), found.message or "")


def kind_of_finish(reason: FinishReason) -> ErrorKind | None:
    """The error that an ending amounts to; None: the answer is whole."""
    match reason:
        case "stop":
            return None
        case "length":
            return "too_long"
        case "refusal" | "content_filter":
            return "refused"


def retry_after_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    """`Retry-After` (seconds or an HTTP date) or OpenAI's `retry-after-ms`, from now; None: not said, or not readable."""
    try:
        if "retry-after-ms" in headers:
            wait_ms = float(headers["retry-after-ms"])
        elif (value := headers.get("retry-after", "").strip()) == "":
            return None
        elif value[0].isalpha():
            wait_ms = parsedate_to_datetime(value).timestamp() * 1000 - now_ms
        else:
            wait_ms = float(value) * 1000
        return round(min(max(wait_ms, 0), RETRY_AFTER_MS_MAX))
    except (ValueError, OverflowError):
        return None


def _said_in(body: bytes) -> _Said:
    try:
        read = _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A gateway's HTML page, most often: nothing for readers.
        return _Said()
    match read.error:
        case _Said():
            return read.error
        case str():
            return _Said(message=read.error)
        case None:
            return _Said(message=read.message or read.detail, type=read.type, code=read.code)


def _kind(status: int, said: _Said) -> ErrorKind:
    if isinstance(said.code, int) and said.code in _BY_STATUS:
        status = said.code
    # The code is the narrower of the two: `{"type": "invalid_request_error", "code": "context_length_exceeded"}`.
    word = next((w for w in (str(said.code), str(said.type)) if w in _BY_WORD), None)
    kind: ErrorKind
    if word is not None and not (word in _BROAD and status in _BY_STATUS):
        kind = _BY_WORD[word]
    elif status >= SERVER_ERROR:
        kind = _BY_STATUS.get(status, "server_error")
    else:
        # What is left of 3xx and 4xx: asked again, it would answer the same.
        kind = _BY_STATUS.get(status, "bad_request")
    message = (said.message or "").lower()
    if kind == "bad_request" and any(words in message for words in _OVERLONG):
        return "context_length"
    return kind
