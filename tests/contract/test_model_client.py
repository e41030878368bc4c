"""The model client against real HTTP servers on loopback, each with one vice."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from services.shared.models import client as client_module
from services.shared.models.client import Call, CallLimits, ModelClient
from services.shared.models.errors import trouble
from services.shared.models.events import CallEvent, Finished, Text, Thinking, Trouble, Usage
from services.shared.models.requests import CallIds, ChatRequest, Message, Provider, ResponseSchema, Secret

KEY = "sk-very-secret"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
ASK = ChatRequest(model="m", messages=(Message("system", "Be brief."), Message("user", "Hi")), max_tokens=9)
PATIENCE_S = 60

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def sse(chunk: Any) -> bytes:
    return http_chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def delta(content: str | None = None, finish: str | None = None) -> bytes:
    return sse({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]})


USAGE = sse({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
DONE = http_chunk(b"data: [DONE]\n\n")
WHOLE = HEAD + delta("Hello") + delta(" you") + delta(finish="stop") + USAGE + DONE + END


class Server:
    """Answers each request as told, and remembers what it saw and when each connection ended."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.port = 0
        self.connections = 0
        self.open = 0
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.asked = asyncio.Event()
        self.gone = asyncio.Event()
        self.gone_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        answering: asyncio.Task[None] | None = None
        try:
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append((first, headers, json.loads(body or b"{}")))
                self.asked.set()
                answering = asyncio.create_task(self.answer(writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone_at = time.perf_counter()
            self.open -= 1
            self.gone.set()
        finally:
            if answering is not None:
                answering.cancel()
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await self.behave(writer)


@contextlib.asynccontextmanager
async def serving(behave: Behave) -> AsyncGenerator[Server]:
    server = Server(behave)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield server
    finally:
        listening.close()


def provider(port: int, **more: Any) -> Provider:
    return Provider(name="test", base_url=f"http://127.0.0.1:{port}/v1", api_key=Secret(KEY), **more)


def sends(data: bytes, *, then_close: bool = False, then_wait: bool = False) -> Behave:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        if then_close:
            writer.close()
        if then_wait:
            await asyncio.Event().wait()

    return behave


def answers(status: str, body: bytes = b"", *headers: str) -> Behave:
    lines = "".join(f"{line}\r\n" for line in (*headers, f"content-length: {len(body)}"))
    return sends(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)


async def events_of(call: Call) -> list[CallEvent]:
    async with call:
        return [event async for event in call]


async def ask(behave: Behave, limits: CallLimits | None = None, request: ChatRequest = ASK) -> list[CallEvent]:
    async with serving(behave) as server, ModelClient(provider(server.port)) as client:
        return await events_of(client.stream(request, limits))


def text(events: list[CallEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


async def test_a_whole_answer_is_text_usage_and_one_end() -> None:
    events = await ask(sends(WHOLE))
    assert text(events) == "Hello you"
    assert events[-2:] == [Usage(3, 2), Finished("stop")]


async def test_what_comes_in_one_read_is_one_text() -> None:
    many = HEAD + b"".join(delta(f"{n} ") for n in range(200)) + delta(finish="stop") + DONE + END
    events = await ask(sends(many))
    assert text(events) == "".join(f"{n} " for n in range(200))
    assert len(events) < 10


async def test_an_answer_byte_by_byte_is_the_same_answer() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        for byte in WHOLE:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    events = await ask(behave)
    assert text(events) == "Hello you"
    assert events[-1] == Finished("stop")


async def test_a_stream_that_a_proxy_compressed_is_read_all_the_same() -> None:
    plain = b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    head = HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
    assert await ask(sends(head + http_chunk(gzip.compress(plain)) + END)) == [Text("Hello"), Finished("stop")]
    assert await ask(sends(head + http_chunk(plain) + END)) == [trouble("garbled")]


async def test_the_second_call_uses_the_first_one_s_connection() -> None:
    async with serving(sends(WHOLE)) as server, ModelClient(provider(server.port)) as client:
        for _ in range(3):
            assert (await events_of(client.stream(ASK)))[-1] == Finished("stop")
        assert (server.connections, len(server.requests)) == (1, 3)


async def test_twenty_calls_at_once_have_a_connection_each() -> None:
    async with serving(sends(WHOLE)) as server, ModelClient(provider(server.port)) as client:
        all_events = await asyncio.gather(*(events_of(client.stream(ASK)) for _ in range(20)))
        assert {text(events) for events in all_events} == {"Hello you"}
        assert server.connections == 20


async def test_openai_is_asked_in_its_own_words() -> None:
    request = ChatRequest(
        model="org/model",
        messages=ASK.messages,
        max_tokens=9,
        temperature=0.5,
        response_schema=ResponseSchema("outline", {"type": "object"}),
        ids=CallIds("d1", "s:1:c", 1_001_001),
    )
    async with serving(sends(WHOLE)) as server, ModelClient(provider(server.port, send_ids=True)) as client:
        await events_of(client.stream(request, CallLimits(deadline_ms=4_321)))
        first, headers, body = server.requests[0]
    assert first == "POST /v1/chat/completions HTTP/1.1"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-scriptorium-document"] == "d1"
    assert headers["x-scriptorium-cell"] == "s:1:c"
    assert headers["x-scriptorium-attempt"] == "1001001"
    assert headers["x-scriptorium-deadline-ms"] == "4321"
    assert body == {
        "model": "org/model",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "outline", "strict": True, "schema": {"type": "object"}},
        },
    }


async def test_a_stranger_is_not_told_whom_a_call_is_for() -> None:
    request = ChatRequest(model="m", messages=ASK.messages, max_tokens=9, ids=CallIds("d1", "c", 1))
    chosen = {"max_tokens_field": "max_completion_tokens"}
    async with serving(sends(WHOLE)) as server, ModelClient(provider(server.port, **chosen)) as client:
        await events_of(client.stream(request))
        _, headers, body = server.requests[0]
    assert not [name for name in headers if name.startswith("x-scriptorium")]
    assert (body["max_completion_tokens"], "max_tokens" in body) == (9, False)


async def test_anthropic_is_asked_and_understood_in_its_own_words() -> None:
    stream = (
        HEAD
        + sse({"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}})
        + sse({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}})
        + sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}})
        + sse({"type": "message_stop"})
        + END
    )
    request = ChatRequest(
        model="m", messages=ASK.messages, max_tokens=9, response_schema=ResponseSchema("o", {"type": "object"})
    )
    async with (
        serving(sends(stream)) as server,
        ModelClient(provider(server.port, protocol="anthropic")) as client,
    ):
        assert await events_of(client.stream(request)) == [Text("Hello"), Usage(5, 2), Finished("stop")]
        first, headers, body = server.requests[0]
    assert first == "POST /v1/messages HTTP/1.1"
    assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert body["system"] == "Be brief."
    assert body["messages"] == [
        {"role": "user", "content": 'Hi\n\nAnswer with JSON only, of this schema: {"type":"object"}'}
    ]


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retry_after_ms"),
    [
        ("429 Too Many Requests", ("Retry-After: 3",), "rate_limited", 3_000),
        ("429 Too Many Requests", (), "rate_limited", None),
        ("503 Service Unavailable", ("Retry-After: 1",), "overloaded", 1_000),
        ("529 Overloaded", (), "overloaded", None),
        ("500 Internal Server Error", (), "server_error", None),
        ("401 Unauthorized", (), "unauthorized", None),
        ("404 Not Found", (), "model_unknown", None),
        ("302 Found", ("Location: http://127.0.0.1:9/",), "bad_request", None),
    ],
)
async def test_a_refused_request_has_its_kind(
    status: str, headers: tuple[str, ...], kind: str, retry_after_ms: int | None
) -> None:
    (event,) = await ask(answers(status, b'{"error": {"message": "key sk-very-secret"}}', *headers))
    assert isinstance(event, Trouble)
    assert (event.kind, event.retry_after_ms) == (kind, retry_after_ms)
    assert KEY not in event.message


async def test_each_refusal_is_asked_for_only_once() -> None:
    async with serving(answers("500 Oops")) as server, ModelClient(provider(server.port)) as client:
        await events_of(client.stream(ASK))
        assert len(server.requests) == 1


async def test_nobody_there_is_a_connection_error() -> None:
    async with serving(sends(b"")) as server:
        port = server.port
    async with ModelClient(provider(port)) as client:
        assert await events_of(client.stream(ASK)) == [trouble("connection")]


async def test_a_server_that_hangs_up_without_a_word_is_a_connection_error() -> None:
    assert await ask(sends(b"", then_close=True)) == [trouble("connection")]


async def test_a_clean_end_without_finish_reason_is_a_cut() -> None:
    assert await ask(sends(HEAD + delta("half") + END)) == [Text("half"), trouble("cut")]


async def test_a_hard_end_is_a_cut_and_keeps_the_text() -> None:
    events = await ask(sends(HEAD + delta("half") + b"40\r\ndata: {", then_close=True))
    assert (text(events), events[-1]) == ("half", trouble("cut"))


async def test_a_hard_end_after_the_model_s_own_end_is_no_cut() -> None:
    events = await ask(sends(HEAD + delta("all", "stop"), then_close=True))
    assert events == [Text("all"), Finished("stop")]


async def test_a_provider_that_never_ends_after_the_model_did_is_waited_for_briefly() -> None:
    events = await ask(sends(HEAD + delta("all", "stop"), then_wait=True))
    assert events == [Text("all"), Finished("stop")]


async def test_half_a_json_is_garbled() -> None:
    events = await ask(sends(HEAD + delta("half") + http_chunk(b"data: {oops\n\n"), then_wait=True))
    assert events == [Text("half"), trouble("garbled")]


async def test_an_answer_that_is_not_a_stream_is_garbled() -> None:
    assert await ask(answers("200 OK", b'{"choices": []}', "content-type: application/json")) == [trouble("garbled")]


async def test_an_error_with_status_200_is_an_error() -> None:
    body = b'{"error": {"message": "busy", "type": "overloaded_error"}}'
    assert await ask(answers("200 OK", body, "content-type: application/json")) == [trouble("overloaded")]


async def test_an_error_inside_the_stream_ends_it() -> None:
    error = sse({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
    assert await ask(sends(HEAD + delta("half") + error, then_wait=True)) == [Text("half"), trouble("rate_limited")]


def pings_after(data: bytes) -> Behave:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        while True:
            writer.write(http_chunk(b": ping\n\n") + delta(""))
            await writer.drain()
            await asyncio.sleep(0.01)

    return behave


async def test_pings_and_empty_chunks_do_not_hide_a_slow_start() -> None:
    events = await ask(pings_after(HEAD), CallLimits(first_token_ms=80, between_tokens_ms=5_000))
    assert events == [trouble("slow_start")]


async def test_a_server_that_accepts_and_says_nothing_is_a_slow_start() -> None:
    assert await ask(sends(b"", then_wait=True), CallLimits(first_token_ms=50)) == [trouble("slow_start")]


async def test_pings_and_empty_chunks_do_not_hide_a_stall() -> None:
    events = await ask(pings_after(HEAD + delta("half")), CallLimits(first_token_ms=5_000, between_tokens_ms=80))
    assert events == [Text("half"), trouble("stalled")]


@pytest.mark.parametrize("half", [b"", delta("half")], ids=["first token", "next token"])
async def test_what_was_said_while_this_process_slept_is_read_before_anybody_calls_it_a_silence(
    half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long it takes to read what is there is the machine's affair.
    monkeypatch.setattr(client_module, "UNREAD_SHARE", 100)
    monkeypatch.setattr(client_module, "UNREAD_MS_MAX", 30_000)
    goes_on = asyncio.Event()

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + half)
        await goes_on.wait()
        writer.write(delta("more", "stop") + DONE + END)  # It is on its way at once.
        time.sleep(0.5)  # noqa: ASYNC251 -- frozen, or without a processor, for longer than the limit

    limits = CallLimits(first_token_ms=300, between_tokens_ms=300)
    async with (
        serving(behave) as server,
        ModelClient(provider(server.port)) as client,
        client.stream(ASK, limits) as call,
    ):
        if half:
            assert await anext(call) == Text("half")
        else:
            await server.asked.wait()
        goes_on.set()
        assert [event async for event in call] == [Text("more"), Finished("stop")]


async def test_reasoning_keeps_a_call_alive() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for _ in range(20):
            writer.write(sse({"choices": [{"delta": {"reasoning_content": "hm"}}]}))
            await asyncio.sleep(0.02)
        writer.write(delta("42", "stop") + DONE + END)

    events = await ask(behave, CallLimits(first_token_ms=300, between_tokens_ms=300))
    assert set(map(type, events[:-2])) == {Thinking}
    assert events[-2:] == [Text("42"), Finished("stop")]


async def test_an_answer_that_goes_on_and_on_meets_the_deadline() -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while True:
            writer.write(delta("again "))
            await writer.drain()
            await asyncio.sleep(0.005)

    events = await ask(behave, CallLimits(deadline_ms=1_000))
    assert text(events).startswith("again again")
    assert events[-1] == trouble("deadline")


async def test_a_slow_reader_holds_up_the_network_and_loses_nothing() -> None:
    piece = "x" * 10_000

    sent = 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(HEAD)
        for sent in range(1, 5_001):  # noqa: B007 -- read by the test while this runs
            writer.write(delta(piece))
            await writer.drain()
        writer.write(delta(finish="stop") + DONE + END)

    async with (
        serving(behave) as server,
        ModelClient(provider(server.port)) as client,
        client.stream(ASK, CallLimits(between_tokens_ms=1_000)) as call,
    ):
        got = [await anext(call)]
        # Nobody takes anything for two limits: that is not the model's silence.
        await asyncio.sleep(2)
        assert sent < 5_000
        got += [event async for event in call]
    assert len(text(got)) == 50_000_000
    assert got[-1] == Finished("stop")


async def test_cancelling_the_consumer_closes_the_socket_at_once() -> None:
    async def consume(call: Call, begun: asyncio.Event) -> None:
        async with call:
            async for _ in call:
                begun.set()

    taken_ms: list[float] = []
    for _ in range(5):
        async with (
            serving(sends(HEAD + delta("half"), then_wait=True)) as server,
            ModelClient(provider(server.port)) as client,
        ):
            call, begun = client.stream(ASK), asyncio.Event()
            consumer = asyncio.create_task(consume(call, begun))
            await begun.wait()
            asked = time.perf_counter()
            consumer.cancel()
            await server.gone.wait()
            taken_ms.append((server.gone_at - asked) * 1_000)
            assert call.close_reason == "cancelled"
            with pytest.raises(asyncio.CancelledError):
                await consumer
    # The median: the machine may be busy with other things once or twice.
    assert sorted(taken_ms)[2] < 20


async def test_cancelling_before_the_first_byte_closes_the_socket_too() -> None:
    async with serving(sends(b"", then_wait=True)) as server, ModelClient(provider(server.port)) as client:
        consumer = asyncio.create_task(events_of(client.stream(ASK)))
        await server.asked.wait()
        consumer.cancel()
        await server.gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await consumer


async def test_closing_from_another_task_ends_the_iteration_and_says_why() -> None:
    async with (
        serving(sends(HEAD + delta("half"), then_wait=True)) as server,
        ModelClient(provider(server.port)) as client,
        client.stream(ASK) as call,
    ):
        got: list[CallEvent] = []
        async for event in call:
            got.append(event)
            call.close("stopped")
            assert call.close_reason == "stopped"
            call.close("later")
        await server.gone.wait()
        assert got == [Text("half")]
        assert call.close_reason == "stopped"


async def test_leaving_early_closes_the_socket_and_the_next_call_works() -> None:
    async with (
        serving(sends(HEAD + delta("half"), then_wait=True)) as server,
        ModelClient(provider(server.port)) as client,
    ):
        async with client.stream(ASK) as call:
            await anext(call)
        await server.gone.wait()
        assert (call.close_reason, call.closed_at_ms is not None) == ("left", True)
        server.behave = sends(WHOLE)
        assert (await events_of(client.stream(ASK)))[-1] == Finished("stop")
        assert server.connections == 2


async def test_a_hundred_cancelled_calls_leave_no_connection_and_no_task() -> None:
    async with (
        serving(sends(HEAD + delta("half"), then_wait=True)) as server,
        ModelClient(provider(server.port)) as client,
    ):
        consumers = [asyncio.create_task(events_of(client.stream(ASK))) for _ in range(100)]
        # Some are streaming by now, some are connecting, some have not begun.
        while len(server.requests) < 60:
            server.asked.clear()
            await server.asked.wait()
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)
        assert all(consumer.cancelled() for consumer in consumers)
        while server.open:
            server.gone.clear()
            await server.gone.wait()
        assert "model call" not in {task.get_name() for task in asyncio.all_tasks()}
        server.behave = sends(WHOLE)
        assert (await events_of(client.stream(ASK)))[-1] == Finished("stop")


async def test_the_models_are_listed() -> None:
    async with (
        serving(answers("200 OK", b'{"object": "list", "data": [{"id": "a"}, {"id": "b/c"}]}')) as server,
        ModelClient(provider(server.port)) as client,
    ):
        assert await client.list_models() == ("a", "b/c")
        assert server.requests[0][0] == "GET /v1/models HTTP/1.1"
        server.behave = answers("401 Unauthorized")
        assert await client.list_models() == trouble("unauthorized")
        server.behave = answers("200 OK", b"<html>")
        assert await client.list_models() == trouble("garbled")


def test_no_repr_shows_a_key() -> None:
    assert KEY not in repr(provider(1)) + str(provider(1))
