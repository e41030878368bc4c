"""What a call costs: this project's model client against openai-python's own stream loop, in the same run.

    python -m bench.model_client

The provider is a process of its own. Two scenes: `burst` (a provider that answers as fast as it can: many chunks a read) and
`paced` (many calls at once, each at a model's pace: one chunk a read). Rounds alternate; the medians and their ratio count.
*Bytes only* is what an HTTP library takes to hand over the bytes with nobody reading them: the one below ours, and aiohttp, whose
parser is in C. Then, how long a socket outlives the cancellation of whoever reads from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine

import aiohttp
import httpx2
import msgspec
import openai
import uvloop

from bench.pace import HEAD, WORD, WORD_CHUNK, Pace, provider
from bench.tables import median, percentile, table
from services.shared.models.client import ModelClient
from services.shared.models.events import Finished, Text
from services.shared.models.requests import ChatRequest, Message, Provider

ROUNDS = 5
SCENES = {"burst": (4, Pace(tokens=2_000)), "paced": (50, Pace(tokens=200, per_second=60))}
"""Calls at once, and how each is answered."""
CANCELLED = 400
CANCELLED_PER_S = 50
CANCELLED_AT_ONCE = 20


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


async def with_httpx2(client: httpx2.AsyncClient, url: str, model: str) -> int:
    """The floor: what httpx2 takes to hand over the bytes, with nobody reading them."""
    async with client.stream("POST", url, json={"model": model}) as response:
        return await _counted(response.aiter_raw())


async def with_aiohttp(client: aiohttp.ClientSession, url: str, model: str) -> int:
    """The same with aiohttp."""
    async with client.post(url, json={"model": model}) as response:
        return await _counted(response.content.iter_any())


async def _counted(chunks: AsyncIterable[bytes]) -> int:
    found, rest, word = 0, b"", WORD.encode()
    async for data in chunks:
        seen = rest + data
        found += seen.count(word)
        rest = seen[-len(word) + 1 :]  # A read may end in the middle of one.
    return found * len(WORD)


async def compare(port: int, scene: str, rounds: int = ROUNDS) -> dict[str, float]:
    """Microseconds of CPU a token, the median of `rounds`, by client."""
    calls, pace = SCENES[scene]
    base_url, model = f"http://127.0.0.1:{port}/v1", pace.name
    limits = httpx2.Limits(max_connections=None)
    async with (
        ModelClient(Provider(name="bench", base_url=base_url)) as ours,
        httpx2.AsyncClient(trust_env=False, timeout=None, limits=limits) as plain,
        openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as theirs,
        _aiohttp() as other,
    ):
        url = f"{base_url}/chat/completions"
        ways: dict[str, Callable[[], Awaitable[int]]] = {
            "ours": lambda: with_ours(ours, model),
            "openai-python": lambda: with_openai(theirs, model),
            "bytes only, httpx2": lambda: with_httpx2(plain, url, model),
            "bytes only, aiohttp": lambda: with_aiohttp(other, url, model),
        }
        taken_us: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                before = time.process_time()
                got = await asyncio.gather(*(way() for _ in range(calls)))
                taken_us[name].append((time.process_time() - before) / (calls * pace.tokens) * 1e6)
                if set(got) != {pace.tokens * len(WORD)}:
                    msg = f"{name}: not the whole text"
                    raise RuntimeError(msg)
    return {name: median(values) for name, values in taken_us.items()}


@contextlib.asynccontextmanager
async def _aiohttp() -> AsyncGenerator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        yield client


class FarEnd:
    """A model in this process that streams for ever, and knows when each connection was closed."""

    def __init__(self) -> None:
        self.spoke: dict[int, asyncio.Event] = {}
        """By the call's number, like `gone`."""
        self.gone: dict[int, asyncio.Future[float]] = {}
        """When, by `time.perf_counter()`."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which serves one call."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        number = int(msgspec.json.decode(await reader.readexactly(length))["model"])
        streaming = asyncio.create_task(self._stream(number, writer))
        with contextlib.suppress(ConnectionError):
            await reader.read()  # Nothing more is said, but that it is over.
        self.gone[number].set_result(time.perf_counter())
        streaming.cancel()
        writer.close()

    async def _stream(self, number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while True:
            writer.write(WORD_CHUNK)
            self.spoke[number].set()
            await asyncio.sleep(1 / CANCELLED_PER_S)


async def outlive() -> dict[str, list[float]]:
    """Milliseconds from the cancellation of a call's reader to the far end seeing its connection closed, by client."""
    far = FarEnd()
    server = await asyncio.start_server(far.answer, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    url = f"{base_url}/chat/completions"
    limits = httpx2.Limits(max_connections=None)
    async with (
        ModelClient(Provider(name="bench", base_url=base_url)) as ours,
        httpx2.AsyncClient(trust_env=False, timeout=None, limits=limits) as plain,
        _aiohttp() as other,
    ):
        ways: dict[str, Callable[[str], Coroutine[None, None, int]]] = {
            "ours": lambda model: with_ours(ours, model),
            "httpx2": lambda model: with_httpx2(plain, url, model),
            "aiohttp": lambda model: with_aiohttp(other, url, model),
        }
        taken_ms: dict[str, list[float]] = {name: [] for name in ways}
        number = 0
        for _ in range(CANCELLED // CANCELLED_AT_ONCE):
            for name, way in ways.items():
                calls: dict[int, asyncio.Task[int]] = {}
                for _ in range(CANCELLED_AT_ONCE):
                    number += 1
                    far.spoke[number] = asyncio.Event()
                    far.gone[number] = asyncio.get_running_loop().create_future()
                    calls[number] = asyncio.create_task(way(str(number)))
                await asyncio.gather(*(far.spoke[one].wait() for one in calls))
                cancelled_s: dict[int, float] = {}
                for one, call in calls.items():
                    cancelled_s[one] = time.perf_counter()
                    call.cancel()
                await asyncio.wait(calls.values())
                taken_ms[name] += [(await far.gone[one] - at_s) * 1e3 for one, at_s in cancelled_s.items()]
    server.close()
    return taken_ms


def main() -> None:
    with provider() as port:
        # The loop that the services run on.
        got = {scene: uvloop.run(compare(port, scene)) for scene in SCENES}
    table(
        f"Model client: CPU a token, median of {ROUNDS} rounds in turn, µs",
        ("scene", "ours", "openai-python", "bytes only, httpx2", "bytes only, aiohttp", "ours / openai-python"),
        (
            (scene, *(f"{us:.1f}" for us in row.values()), row["ours"] / row["openai-python"])
            for scene, row in got.items()
        ),
    )
    outlived = uvloop.run(outlive())
    table(
        f"From cancelling a reader to the far end seeing the connection closed, {CANCELLED} calls, {CANCELLED_AT_ONCE} at once, ms",
        ("client", "p50", "p99"),
        ((name, f"{percentile(ms, 0.5):.2f}", f"{percentile(ms, 0.99):.2f}") for name, ms in outlived.items()),
    )


if __name__ == "__main__":
    main()
