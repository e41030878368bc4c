"""CPU that a token costs: this project's model client against openai-python's own stream loop, in the same run.

    python -m bench.model_client

The provider is a process of its own. Two scenes: `burst` (a provider that answers as fast as it can: many chunks a read) and
`paced` (many calls at once, each at a model's pace: one chunk a read). Rounds alternate; the medians and their ratio count.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx2
import openai
import uvloop

from bench.pace import WORD, Pace, provider
from bench.tables import median, table
from services.shared.models.client import ModelClient
from services.shared.models.events import Finished, Text
from services.shared.models.requests import ChatRequest, Message, Provider

ROUNDS = 5
SCENES = {"burst": (4, Pace(tokens=2_000)), "paced": (50, Pace(tokens=200, per_second=60))}
"""Calls at once, and how each is answered."""


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
        found, rest, word = 0, b"", WORD.encode()
        async for data in response.aiter_raw():
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
                taken_us[name].append((time.process_time() - before) / (calls * pace.tokens) * 1e6)
                if set(got) != {pace.tokens * len(WORD)}:
                    msg = f"{name}: not the whole text"
                    raise RuntimeError(msg)
    return {name: median(values) for name, values in taken_us.items()}


def main() -> None:
    with provider() as port:
        # The loop that the services run on.
        got = {scene: uvloop.run(compare(port, scene)) for scene in SCENES}
    table(
        f"Model client: CPU a token, median of {ROUNDS} rounds in turn, µs",
        ("scene", "ours", "openai-python", "bytes only", "ours / openai-python"),
        (
            (scene, *(f"{us:.1f}" for us in row.values()), row["ours"] / row["openai-python"])
            for scene, row in got.items()
        ),
    )


if __name__ == "__main__":
    main()
