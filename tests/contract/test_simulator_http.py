"""The simulator over real HTTP: two protocols, every vice, and its record."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai
import pytest
import pytest_asyncio

from services.shared.models.client import ModelClient
from services.shared.models.events import Finished, Text
from services.shared.models.requests import CallIds, ChatRequest, Message, Provider
from tests.simulators import simulator

FAST = "pace=fixed,first_token_ms=5,token_interval_ms=1"
USER = (
    '<document title="Ink">What ink is.</document><section heading="Ink">Say what ink is.</section>'
    '<passage source="s1" number="1" title="notes">Text on its way is called ink, and it is kept in memory only. '
    "Every piece of ink names its attempt and its offset in the text.</passage>"
)
QUOTE = '[[s1:1 "Text on its way is called ink, and it is kept in memory only"]]'
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with simulator("--seed", "11") as where:
        yield where


@pytest_asyncio.fixture
async def http(address: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=address, trust_env=False, timeout=PATIENCE_S) as client:
        yield client


def ask(*, stream: bool = True, model: str = "scribe", **more: Any) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": USER}], **more}


def turned(dials: str = "", document: str = "") -> dict[str, str]:
    return {"x-simulator": f"{FAST},{dials}", "x-scriptorium-document": document}


async def chunks(http: httpx2.AsyncClient, dials: str = "", **more: Any) -> list[Any]:
    """The data of every SSE event; 'DONE' is the last one where the protocol says so."""
    answer = await http.post("/v1/chat/completions", json=ask(**more), headers=turned(dials))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event for event in answer.text.split("\n\n") if event.startswith("data: ")]
    return [json.loads(data) if data != "[DONE]" else "DONE" for data in (event[6:] for event in events)]


def text_of(events: list[Any]) -> str:
    deltas = [event["choices"][0]["delta"] for event in events if event != "DONE" and event["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


async def recorded(http: httpx2.AsyncClient, document: str, ended: str) -> dict[str, Any]:
    """The document's only call, once it has ended so."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            calls = (await http.get("/record", params={"document": document})).json()
            if calls and calls[0]["ended"] != "open":
                assert [call["ended"] for call in calls] == [ended]
                return calls[0]


async def test_a_stream_is_framed_as_openai_frames_it(http: httpx2.AsyncClient) -> None:
    events = await chunks(http, stream_options={"include_usage": True})
    first, *_, finish, usage, done = events
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == len(events) - 4
    assert done == "DONE"
    assert QUOTE in text_of(events)


async def test_without_streaming_the_same_text_comes_in_one_piece(http: httpx2.AsyncClient) -> None:
    whole = (await http.post("/v1/chat/completions", json=ask(stream=False), headers=turned())).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"]["content"] == text_of(await chunks(http))


async def test_the_openai_package_understands_it(address: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        names = [model.id async for model in client.models.list()]
        assert names[0] == "scribe"
        messages: list[Any] = [{"role": "user", "content": USER}]
        stream = await client.chat.completions.create(
            model="scribe", messages=messages, stream=True, extra_headers=turned(), max_tokens=2_000
        )
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
        assert QUOTE in "".join(words)
        whole = await client.chat.completions.create(model="scribe", messages=messages, extra_headers=turned())
        assert whole.choices[0].message.content == "".join(words)
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(
                model="scribe", messages=messages, extra_headers=turned("error_429_seconds=1")
            )


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_our_own_client_reads_both_protocols(http: httpx2.AsyncClient, address: str, protocol: Any) -> None:
    provider = Provider(name="s", protocol=protocol, base_url=f"{address}/v1", send_ids=True)
    asked = ChatRequest(
        model="scribe-any",
        messages=(Message("system", "Be brief."), Message("user", USER)),
        max_tokens=2_000,
        ids=CallIds(document=f"own-{protocol}", cell="ink", attempt=1_001_001),
    )
    await http.put("/dials", json={"model": "scribe-any", "dials": {"first_token_ms": 1, "token_interval_ms": 1}})
    async with ModelClient(provider) as client, client.stream(asked) as stream:
        events = [event async for event in stream]
    assert QUOTE in "".join(event.text for event in events if isinstance(event, Text))
    assert isinstance(events[-1], Finished)
    call = await recorded(http, f"own-{protocol}", "finished")
    assert (call["cell"], call["attempt"], call["protocol"]) == ("ink", "1001001", protocol)


async def test_anthropic_events_come_in_their_order(http: httpx2.AsyncClient) -> None:
    body = {**ask(), "max_tokens": 5, "system": [{"type": "text", "text": "Be brief."}]}
    answer = await http.post("/v1/messages", json=body, headers=turned())
    names = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 5,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert '"stop_reason":"max_tokens"' in answer.text
    whole = (await http.post("/v1/messages", json={**body, "stream": False}, headers=turned())).json()
    assert (whole["type"], whole["stop_reason"], whole["usage"]["output_tokens"]) == ("message", "max_tokens", 5)


async def test_structured_answers_fit_their_schema(http: httpx2.AsyncClient) -> None:
    properties = {"answer": {"type": "string"}, "quote": {"type": "string"}, "passage": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    form = {"type": "json_schema", "json_schema": {"name": "table_cell", "strict": True, "schema": schema}}
    cell = json.loads(text_of(await chunks(http, response_format=form)))
    assert cell["passage"] == 1
    assert "ink" in cell["answer"]
    spoiled = text_of(await chunks(http, "malformed=1", response_format=form))
    assert spoiled != json.dumps(cell, separators=(",", ":"))


@pytest.mark.parametrize(
    ("vice", "status"),
    [
        ("error_429", 429),
        ("error_500", 500),
        ("error_502", 502),
        ("error_503", 503),
        ("error_529", 529),
        ("error_401", 401),
        ("error_context", 400),
    ],
)
async def test_errors_before_the_stream_have_their_protocol_s_shape(
    http: httpx2.AsyncClient, vice: str, status: int
) -> None:
    answer = await http.post("/v1/chat/completions", json=ask(), headers=turned(f"{vice}=1"))
    assert answer.status_code == status
    assert "retry-after" not in answer.headers
    assert answer.json()["error"]["message"]
    if vice == "error_context":
        assert answer.json()["error"]["code"] == "context_length_exceeded"
    answer = await http.post("/v1/messages", json={**ask(), "max_tokens": 9}, headers=turned(f"{vice}=1"))
    assert answer.status_code == status
    assert answer.json()["type"] == "error"


async def test_retry_after_comes_in_seconds_or_as_a_date(http: httpx2.AsyncClient) -> None:
    dials = "error_429_seconds=1,retry_after_s=7"
    answer = await http.post("/v1/chat/completions", json=ask(), headers=turned(dials))
    assert answer.headers["retry-after"] == "7"
    dials = "error_429_date=1,retry_after_s=7"
    answer = await http.post("/v1/chat/completions", json=ask(), headers=turned(dials))
    wait_s = parsedate_to_datetime(answer.headers["retry-after"]).timestamp() - time.time()
    assert 5 < wait_s < 9


async def test_an_error_inside_the_stream_comes_as_an_event_after_200(http: httpx2.AsyncClient) -> None:
    *_, last = await chunks(http, "error_in_stream=1")
    assert last["error"]["type"] == "server_error"
    body = {**ask(), "max_tokens": 900}
    answer = await http.post("/v1/messages", json=body, headers=turned("error_in_stream=1"))
    assert answer.text.rstrip().endswith('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}')


async def test_a_clean_cut_ends_without_a_reason(http: httpx2.AsyncClient) -> None:
    events = await chunks(http, "cut_clean=1,strike_at=0.5")
    assert "DONE" not in events
    assert all(event["choices"][0]["finish_reason"] is None for event in events)
    assert text_of(events)


async def test_half_a_chunk_is_no_json(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/chat/completions", json=ask(), headers=turned("cut_json=1"))
    last = answer.text.split("data: ")[-1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(last)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_hard_cut_resets_the_connection(http: httpx2.AsyncClient, stream: bool) -> None:
    with pytest.raises((httpx2.ReadError, httpx2.RemoteProtocolError)) as caught:
        await http.post("/v1/chat/completions", json=ask(stream=stream), headers=turned("cut_hard=1", f"cut-{stream}"))
    assert isinstance(caught.value, httpx2.ReadError)  # A reset, not an early end.
    assert (await recorded(http, f"cut-{stream}", "failed"))["vice"] == "cut_hard"


@pytest.mark.parametrize(("vice", "pings"), [("stall", False), ("stall_pings", True)])
async def test_a_stall_says_nothing_more_and_ends_at_its_limit(
    http: httpx2.AsyncClient, vice: str, pings: bool
) -> None:
    dials = f"{vice}=1,strike_at=0.5,ping_interval_ms=20,stall_max_ms=200"
    answer = await http.post("/v1/chat/completions", json=ask(), headers=turned(dials))
    assert (": ping" in answer.text) is pings
    assert 'finish_reason":"' not in answer.text


async def test_refusals_are_told_as_each_protocol_tells_them(http: httpx2.AsyncClient) -> None:
    events = await chunks(http, "refusal=1")
    assert "".join(e["choices"][0]["delta"].get("refusal") or "" for e in events if e != "DONE").startswith("I'm sorry")
    assert text_of(events) == ""
    *_, finish, _ = await chunks(http, "filtered=1")
    assert finish["choices"][0]["finish_reason"] == "content_filter"
    answer = await http.post("/v1/messages", json={**ask(), "max_tokens": 900}, headers=turned("refusal=1"))
    assert '"stop_reason":"refusal"' in answer.text


async def test_an_endless_answer_repeats_itself_up_to_the_limit(http: httpx2.AsyncClient) -> None:
    events = await chunks(http, "endless=1,token_interval_ms=0,strike_at=0.6", max_tokens=1_500)
    assert events[-2]["choices"][0]["finish_reason"] == "length"
    assert len(events) > 1_500


async def test_usage_can_be_wrong(http: httpx2.AsyncClient) -> None:
    claims: set[Any] = set()
    for seed in range(40):  # What is drawn depends on how often this was asked before, too.
        turn = f"wrong_usage=1,seed={seed},first_token_ms=0,token_interval_ms=0"
        events = await chunks(http, turn, stream_options={"include_usage": True})
        claims.add(next((e["usage"]["completion_tokens"] for e in events if e != "DONE" and not e["choices"]), None))
    assert {None, 0} < claims


async def test_the_record_knows_the_moment_when_the_client_goes(http: httpx2.AsyncClient, address: str) -> None:
    async with (
        httpx2.AsyncClient(base_url=address, trust_env=False) as leaving,
        leaving.stream(
            "POST", "/v1/chat/completions", json=ask(), headers=turned("token_interval_ms=5000", "leaving")
        ) as answer,
    ):
        parts = answer.aiter_bytes()
        assert await anext(parts)
        opened = (await http.get("/record/open", params={"document": "leaving"})).json()
        assert len(opened) == 1
        left_at_ms = time.time() * 1_000
    call = await recorded(http, "leaving", "client_gone")
    assert -1 < call["gone_at_ms"] - left_at_ms < 250  # Long before the next token would have been due.
    assert (await http.get("/record/open", params={"document": "leaving"})).json() == []
    later = {"document": "leaving", "since": call["gone_at_ms"] + 1}
    assert (await http.get("/record", params=later)).json() == []


async def test_the_record_knows_what_was_sent_and_when(http: httpx2.AsyncClient) -> None:
    before_ms = time.time() * 1_000
    await http.post("/v1/chat/completions", json=ask(max_tokens=6), headers=turned("seed=3,ordinal=2", "sent"))
    call = await recorded(http, "sent", "finished")
    assert (call["tokens_sent"], call["seed"], call["ordinal"], call["status"]) == (6, 3, 2, 200)
    assert before_ms <= call["began_at_ms"] < call["first_token_at_ms"] < call["last_token_at_ms"]


async def test_a_seed_and_an_ordinal_replay_a_call(http: httpx2.AsyncClient) -> None:
    drawn = [
        [
            (
                await http.post("/v1/chat/completions", json=ask(), headers=turned(f"error_500=0.5,ordinal={n}"))
            ).status_code
            for n in range(8)
        ]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) == {200, 500}


async def test_an_account_allows_so_many_calls_at_a_time(http: httpx2.AsyncClient) -> None:
    dials = turned("concurrent_max=2,first_token_ms=300", "crowd")
    calls = [http.post("/v1/chat/completions", json=ask(model="crowded"), headers=dials) for _ in range(5)]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    assert {answer.headers.get("retry-after") for answer in answers} == {None, "1"}


async def test_dials_turn_live_and_are_put_back(http: httpx2.AsyncClient) -> None:
    turn = {"model": "turned", "dials": {"error_503": 1}}
    assert (await http.put("/dials", json=turn)).json()["live"]["turned"] == {"error_503": 1}
    assert (await http.post("/v1/chat/completions", json=ask(model="turned"), headers=turned())).status_code == 503
    await http.patch("/dials", json={"model": "turned", "dials": {"error_503": None}})
    assert (await http.post("/v1/chat/completions", json=ask(model="turned"), headers=turned())).status_code == 200


@pytest.mark.parametrize("body", ["", "[]", '{"dials": {"nope": 1}}', '{"dials": {"stall": 2}}', '{"model": ""}'])
async def test_a_turn_that_cannot_be_made_is_a_problem(http: httpx2.AsyncClient, body: str) -> None:
    answer = await http.put("/dials", content=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", ["", "{}", '{"model": "scribe", "messages": []}', '{"model": 3, "messages": [{}]}'])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_request_that_is_none_is_refused(http: httpx2.AsyncClient, path: str, body: str) -> None:
    answer = await http.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_a_header_that_names_no_dial_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/chat/completions", json=ask(), headers={"x-simulator": "speed=9"})
    assert answer.status_code == 400
    assert "speed" in answer.json()["error"]["message"]


async def test_it_is_healthy(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/healthz")).json()["status"] == "ok"


async def test_forgetting_starts_the_record_anew(http: httpx2.AsyncClient) -> None:
    await chunks(http)
    while (await http.get("/record/open")).json():
        pass  # It is over for us as soon as its last chunk is here.
    assert (await http.delete("/record")).status_code == 204
    assert (await http.get("/record")).json() == []
