from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.models.errors import kind_of_finish, retry_after_ms, trouble, trouble_of_response
from services.shared.models.events import Finished, Ping, StreamEvent, Text, Thinking, Trouble, Usage
from services.shared.models.lines import AnthropicDecoder, OpenAiDecoder, SseParser
from services.shared.sse import EVENT_BYTES_MAX

NOW_MS = 1_800_000_000_000


def sse(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **more}, "finish_reason": finish}], "usage": None}


DONE = b"data: [DONE]\n\n"
USAGE: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 2}}


def openai(*pieces: bytes) -> list[StreamEvent]:
    decoder = OpenAiDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


def anthropic(*pieces: bytes) -> list[StreamEvent]:
    decoder = AnthropicDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


def joined(events: list[StreamEvent]) -> list[StreamEvent]:
    """How text is cut is the network's doing; what is said is not."""
    out: list[StreamEvent] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, Text) and isinstance(last, Text):
            out[-1] = Text(last.text + event.text)
        else:
            out.append(event)
    return out


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
openai_streams = st.lists(
    st.one_of(
        texts.map(lambda t: sse(delta(t))),
        st.sampled_from(
            [
                b": ping\n\n",
                b":\n",
                b"\n",
                b"event: message\nid: 7\n",
                b"data:\n\n",
                b"data: {\ndata: }\n\n",
                sse(delta("")),
                sse(delta(reasoning_content="hm")),
                sse(delta(finish="stop")),
                sse(USAGE),
                DONE,
                b"data: {broken\n\n",
                b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
                sse({"error": {"message": "no", "type": "server_error"}}),
            ]
        ),
    ),
    max_size=12,
).map(b"".join)


@given(openai_streams, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 5_000), max_size=30))
def test_however_the_bytes_are_cut_the_events_are_the_same(data: bytes, newline: bytes, at: list[int]) -> None:
    data = data.replace(b"\n", newline)
    assert joined(openai(*cut(data, at))) == joined(openai(data))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=20))
def test_any_bytes_at_all_end_in_exactly_one_end(data: bytes, at: list[int]) -> None:
    for decode in (openai, anthropic):
        events = decode(*cut(data, at))
        assert [isinstance(event, Finished | Trouble) for event in events].count(True) == 1
        assert isinstance(events[-1], Finished | Trouble)


@given(st.lists(texts, max_size=20), st.lists(st.integers(0, 5_000), max_size=30))
def test_the_text_arrives_whole(pieces: list[str], at: list[int]) -> None:
    data = sse(*map(delta, pieces), delta(finish="stop")) + DONE
    events = openai(*cut(data, at))
    assert "".join(event.text for event in events if isinstance(event, Text)) == "".join(pieces)
    assert events[-1] == Finished("stop")


def test_a_character_cut_in_two_by_the_network_is_one_character() -> None:
    data = 'data: {"choices":[{"delta":{"content":"é漢😀"}}]}\n\n'.encode()
    assert joined(openai(*(bytes([b]) for b in data)))[0] == Text("é漢😀")


def test_deltas_of_one_read_are_one_text_and_usage_comes_before_the_end() -> None:
    data = sse(delta(""), delta("Hello"), delta(" you"), delta(finish="stop"), USAGE) + DONE
    assert openai(data) == [Text("Hello you"), Usage(11, 2), Finished("stop")]


def test_a_comment_is_a_ping_and_an_empty_chunk_is_nothing() -> None:
    assert openai(b": keep-alive\n\n" + sse(delta(""), {"choices": []}), b"data:\n\n")[:-1] == [Ping()]


def test_reasoning_is_a_sign_of_life_and_not_text() -> None:
    data = sse(delta(reasoning_content="Let me see"), delta(reasoning="so"), delta("42", finish="stop"))
    assert openai(data) == [Thinking(), Thinking(), Text("42"), Finished("stop")]


def test_done_without_a_finish_reason_is_a_cut() -> None:
    assert openai(sse(delta("half")) + DONE) == [Text("half"), trouble("cut")]


def test_a_stream_that_just_ends_is_a_cut_even_in_the_middle_of_an_event() -> None:
    assert openai(sse(delta("half")) + b'data: {"choi') == [Text("half"), trouble("cut")]


def test_half_a_json_in_a_whole_event_is_garbled_and_keeps_the_text_before_it() -> None:
    assert openai(sse(delta("half")) + b'data: {"choi\n\n' + DONE) == [Text("half"), trouble("garbled")]


def test_once_the_model_has_said_its_end_nothing_spoils_it() -> None:
    whole = sse(delta("all"), delta(finish="stop"))
    for tail in (
        b"",
        b"data: {\n\n",
        sse({"error": "late"}),
        sse(delta("more")),
        DONE + DONE,
        sse(delta(finish="length")),
    ):
        assert openai(whole + tail) == [Text("all"), Finished("stop")]


@pytest.mark.parametrize(
    ("word", "reason"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("eos", "stop")],
)
def test_a_finish_reason_is_read(word: str, reason: str) -> None:
    end = openai(sse(delta("x", finish=word)))[-1]
    assert isinstance(end, Finished)
    assert end.reason == reason


def test_a_refusal_is_told_from_an_answer() -> None:
    assert openai(sse(delta(refusal="I cannot"), delta(finish="stop")))[-1] == Finished("refusal")
    assert kind_of_finish("refusal") == "refused"
    assert kind_of_finish("length") == "too_long"
    assert kind_of_finish("stop") is None


def test_absurd_usage_costs_no_answer() -> None:
    absurd: list[Any] = ["many", [], {"prompt_tokens": "x"}, {"prompt_tokens": 1e40}]
    for usage in absurd:
        events = openai(sse(delta("ok", finish="stop"), {"choices": [], "usage": usage}) + DONE)
        assert events[0] == Text("ok")
        assert events[-1] == Finished("stop")
    negative: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": -3, "completion_tokens": 2}}
    assert Usage(0, 2) in openai(sse(delta("ok", finish="stop"), negative) + DONE)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "busy", "code": 429}, "rate_limited"),
        ({"message": "x", "code": 502}, "server_error"),
        ({"message": "x", "code": 503, "type": "server_error"}, "overloaded"),
        ({"message": "x", "type": "server_error"}, "server_error"),
        ({"message": "x", "type": "overloaded_error"}, "overloaded"),
        ({"message": "x", "code": "context_length_exceeded", "type": "invalid_request_error"}, "context_length"),
        ("out of memory", "server_error"),
        ([1], "server_error"),
    ],
)
def test_an_error_inside_the_stream_has_its_kind(error: Any, kind: str) -> None:
    events = openai(sse(delta("half"), {"error": error}) + DONE)
    assert events[0] == Text("half")
    assert isinstance(events[1], Trouble)
    assert (events[1].kind, len(events)) == (kind, 2)


def test_an_endless_line_is_garbled_and_not_kept() -> None:
    decoder = OpenAiDecoder()
    events: list[StreamEvent] = []
    for _ in range(2 + EVENT_BYTES_MAX // 65_536):
        events += decoder.feed(b"a" * 65_536)
    assert events == [trouble("garbled")]


def test_several_data_lines_are_joined_and_other_fields_passed_over() -> None:
    parser = SseParser()
    assert parser.feed(b"event: x\nid: 1\nretry: 5\ndata: a\ndata:b\n\nnonsense\n\n:c\n\n") == [b"a\nb", None]


def anthropic_stream(*middle: dict[str, Any]) -> bytes:
    chunks: tuple[dict[str, Any], ...] = (
        {
            "type": "message_start",
            "message": {"usage": {"input_tokens": 20, "cache_read_input_tokens": 5, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *middle,
    )
    return b"".join(b"event: " + chunk["type"].encode() + b"\n" + sse(chunk) for chunk in chunks)


def said(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def ended(reason: str) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}}


STOP = {"type": "message_stop"}


def test_anthropic_text_usage_and_end() -> None:
    data = anthropic_stream(said("Hel"), said("lo"), {"type": "content_block_stop"}, ended("end_turn"), STOP)
    assert anthropic(data) == [Ping(), Text("Hello"), Usage(25, 7), Finished("stop")]


@given(st.lists(st.integers(0, 5_000), max_size=30))
def test_anthropic_bytes_may_be_cut_anywhere(at: list[int]) -> None:
    data = anthropic_stream(said("Hé"), said("lo"), ended("max_tokens"), STOP)
    assert joined(anthropic(*cut(data, at))) == [Ping(), Text("Hélo"), Usage(25, 7), Finished("length")]


def test_anthropic_thinking_refusal_error_and_unknown_events() -> None:
    thinking = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}
    assert anthropic(anthropic_stream(thinking, {"type": "brand_new"}, ended("refusal"), STOP)) == [
        Ping(),
        Thinking(),
        Usage(25, 7),
        Finished("refusal"),
    ]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert anthropic(anthropic_stream(said("x"), error))[-2:] == [Text("x"), trouble("overloaded")]
    assert anthropic(anthropic_stream(said("x"), STOP))[-1] == trouble("cut")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"code": "rate_limit_exceeded"}, "rate_limited"),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, "unauthorized"),
        (500, None, "server_error"),
        (502, None, "server_error"),
        (500, {"type": "api_error"}, "server_error"),
        (503, None, "overloaded"),
        (503, {"type": "server_error", "message": "The engine is overloaded."}, "overloaded"),
        (503, {"type": "server_error", "code": "rate_limit_exceeded"}, "rate_limited"),
        (529, {"type": "api_error"}, "overloaded"),
        (401, {"type": "api_error"}, "unauthorized"),
        (529, {"type": "overloaded_error"}, "overloaded"),
        (401, {"code": "invalid_api_key", "message": "Incorrect key: sk-secret"}, "unauthorized"),
        (403, None, "unauthorized"),
        (404, {"message": "no such model"}, "model_unknown"),
        (404, {"type": "invalid_request_error", "message": "no such model"}, "model_unknown"),
        (400, {"code": "context_length_exceeded"}, "context_length"),
        (400, {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}, "context_length"),
        (400, {"message": "This model's maximum context length is 8192 tokens"}, "context_length"),
        (413, None, "context_length"),
        (400, {"message": "response_format is not supported"}, "bad_request"),
        (422, None, "bad_request"),
        (302, None, "bad_request"),
    ],
)
def test_a_response_that_is_no_stream_has_its_kind(status: int, error: dict[str, str] | None, kind: str) -> None:
    body = b"<html>" if error is None else json.dumps({"error": error}).encode()
    got = trouble_of_response(status, {}, body, NOW_MS)
    assert got.kind == kind
    assert "sk-secret" not in got.message
    assert got.message.endswith((".", "supported", "model", "tokens", "8"))


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2_000),
        ({"retry-after": "0.5"}, 500),
        ({"retry-after": "-4"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e99"}, 86_400_000),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30_000),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0),
        ({"retry-after": "5", "retry-after-ms": "250"}, 250),
    ],
)
def test_retry_after_is_time_from_now(headers: dict[str, str], wait_ms: int | None) -> None:
    assert retry_after_ms(headers, NOW_MS) == wait_ms


@given(st.text(max_size=30))
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    wait_ms = retry_after_ms({"retry-after": value}, NOW_MS)
    assert wait_ms is None or 0 <= wait_ms <= 86_400_000


def test_a_provider_s_words_are_quoted_short_and_on_one_line() -> None:
    message = trouble("bad_request", "temperature\n\x00must be\tless " + "x" * 500).message
    assert message.startswith("The model's provider did not accept the request. It said: temperature must be less xx")
    assert len(message) < 300
