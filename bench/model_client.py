"""CPU that a token costs: this project's model client against openai-python's own stream loop, in the same run.

    python -m bench.model_client

The provider is a process of its own. Two scenes: `burst` (a provider that answers as fast as it can: many chunks a read) and
`paced` (many calls at once, each at a model's pace: one chunk a read). Rounds alternate; the medians and their ratio count.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import httpx2
import openai
import uvloop

from services.shared.models.client import ModelClient
from services.shared.models.events import Finished, Text
from services.shared.models.requests import ChatRequest, Message, Provider

ROUNDS = 5
SCENES = {"burst": (4, 2_000, 0.0), "paced": (50, 200, 60.0)}
"""Calls at once, tokens a call, tokens a second a call (0: as fast as it goes)."""


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    """What OpenAI itself sends with every token."""
    said = {
        "id": "chatcmpl-BnX2k9ZrVbq0",
        "object": "chat.completion.chunk",
        "created": 1_800_000_000,
        "model": "m",
        "service_tier": "default",
        "system_fingerprint": "fp_34a54ae93c",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
    }
    event = b"data: " + json.dumps(said).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


async def provide() -> None:
    """A provider whose model name says how to answer: `tokens-per_second`."""
    token = chunk({"content": " token"})
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    done = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
                tokens, per_second = json.loads(await reader.readexactly(length))["model"].split("-")
                writer.write(head + chunk({"role": "assistant", "content": ""}))
                started = asyncio.get_running_loop().time()
                for n in range(int(tokens)):
                    writer.write(token)
                    if float(per_second):
                        due = started + n / float(per_second)
                        await asyncio.sleep(due - asyncio.get_running_loop().time())
                    else:
                        await writer.drain()
                writer.write(chunk({}, "stop") + done)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def with_ours(client: ModelClient, model: str) -> int:
    request = ChatRequest(model=model, messages=(Message("user", "Write."),), max_tokens=4_000)
    characters = 0
    async with client.stream(request) as call:
        async for event in call:
            match event:
                case Text(text):
                    characters += len(text)
                case Finished():
                    return characters
                case _:
                    pass
    raise RuntimeError("the stream did not finish")


async def with_openai(client: openai.AsyncOpenAI, model: str) -> int:
    stream = await client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Write."}], max_tokens=4_000, stream=True
    )
    return sum([len(chunk.choices[0].delta.content or "") async for chunk in stream if chunk.choices])


async def with_bytes(client: httpx2.AsyncClient, url: str, model: str) -> int:
    """The floor: what httpx2 takes to hand over the bytes, with nobody reading them."""
    async with client.stream("POST", url, json={"model": model}) as response:
        return sum([data.count(b" token") * 6 async for data in response.aiter_raw()])


async def compare(port: int, scene: str, rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds of CPU a token, the median of `rounds`, by client."""
    calls, tokens, per_second = SCENES[scene]
    base_url, model = f"http://127.0.0.1:{port}/v1", f"{tokens}-{per_second}"
    limits = httpx2.Limits(max_connections=None)
    async with (
        ModelClient(Provider(name="bench", base_url=base_url)) as ours,
        httpx2.AsyncClient(trust_env=False, timeout=None, limits=limits) as plain,
        openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as theirs,
    ):
        ways: dict[str, Callable[[], Awaitable[int]]] = {
            "ours": lambda: with_ours(ours, model),
            "openai-python": lambda: with_openai(theirs, model),
            "bytes only": lambda: with_bytes(plain, f"{base_url}/chat/completions", model),
        }
        taken_us: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                before = time.process_time()
                got = await asyncio.gather(*(way() for _ in range(calls)))
                taken_us[name].append((time.process_time() - before) / (calls * tokens) * 1e6)
                if set(got) != {tokens * len(" token")}:
                    msg = f"{name}: not the whole text"
                    raise RuntimeError(msg)
    return {name: statistics.median(values) for name, values in taken_us.items()}


def main() -> None:
    with subprocess.Popen([sys.executable, "-m", "bench.model_client", "provide"], stdout=subprocess.PIPE) as provider:
        try:
            port = int(provider.stdout.readline()) if provider.stdout is not None else 0
            print(f"{'scene':8}{'ours':>12}{'openai':>12}{'bytes only':>12}{'ours/openai':>14}   µs CPU a token")
            for scene in SCENES:
                # The loop that the services run on.
                got = uvloop.run(compare(port, scene))
                ratio = got["ours"] / got["openai-python"]
                print(f"{scene:8}{got['ours']:12.1f}{got['openai-python']:12.1f}{got['bytes only']:12.1f}{ratio:14.2f}")
        finally:
            provider.terminate()


if __name__ == "__main__":
    if sys.argv[1:] == ["provide"]:
        uvloop.run(provide())
    else:
        main()
