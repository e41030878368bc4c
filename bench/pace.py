"""A model whose pace is fixed: an OpenAI-compatible server in a process of its own, whose model names say how to answer.

Every token may carry the moment at which it was sent, so that whoever reads it at the other end knows how long it was on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import re
import subprocess
import sys
import time
from collections.abc import Generator
from typing import Literal, NamedTuple, cast

import uvloop

END_S = 5.0
WORD = " token"
Tail = Literal["none", "lognormal", "hump"]
TAIL = 10.0
"""p99 over median."""
LOGNORMAL_SIGMA = math.log(TAIL) / 2.326
HUMP_SHARE = 0.02
"""Of calls that take TAIL times as long, and all others the median."""
STAMP = re.compile(r"\d{10}\.\d{6}")
"""Seconds since the Unix epoch, as `Pace.stamped` tokens are."""


class Pace(NamedTuple):
    """How to answer; its name is a model's name."""

    tokens: int
    per_second: float = 0.0
    """0: as fast as it goes."""
    first_ms: float = 0.0
    """From the request to the first token."""
    stamped: bool = False
    tail: Tail = "none"
    """How the time to the first token spreads around `first_ms`, its median, where its p99 is ten times as much."""

    @property
    def name(self) -> str:
        """What a model of this pace is called."""
        return f"{self.tokens}-{self.per_second:g}-{self.first_ms:g}-{int(self.stamped)}-{self.tail}"

    @property
    def ideal_s(self) -> float:
        """From the request to the last token."""
        return self.first_ms / 1_000 + ((self.tokens - 1) / self.per_second if self.per_second else 0.0)


def pace_of(name: str) -> Pace:
    """The pace that a model name says."""
    tokens, per_second, first_ms, stamped, tail = name.split("-")
    return Pace(int(tokens), float(per_second), float(first_ms), stamped == "1", cast("Tail", tail))


def first_s(pace: Pace, rng: random.Random) -> float:
    """When this call speaks, drawn from the pace's tail."""
    match pace.tail:
        case "none":
            factor = 1.0
        case "lognormal":
            factor = rng.lognormvariate(0, LOGNORMAL_SIGMA)
        case "hump":
            factor = TAIL if rng.random() < HUMP_SHARE else 1.0
    return pace.first_ms / 1_000 * factor


def sent_at_s(text: str) -> list[float]:
    """When each stamped token in a text was sent."""
    return [float(stamp) for stamp in STAMP.findall(text)]


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


WORD_CHUNK = chunk({"content": WORD})
STAMP_WIDTH = len("1800000000.000000")
STAMPED_PARTS = chunk({"content": " " + "#" * STAMP_WIDTH}).split(b"#" * STAMP_WIDTH)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MODELS = b'{"object":"list","data":[]}'
LISTED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(MODELS), MODELS)
DONE = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


RNG = random.Random(1)  # noqa: S311 -- a pace, not a secret


async def provide() -> None:
    """Serve on a free port, which is printed, until killed."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            if lines[0].startswith(b"get"):
                writer.write(LISTED)
                continue
            length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
            await _stream(writer, pace_of(json.loads(await reader.readexactly(length))["model"]))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _stream(writer: asyncio.StreamWriter, pace: Pace) -> None:
    started = time.perf_counter()
    speaks_s = first_s(pace, RNG)
    writer.write(HEAD + chunk({"role": "assistant", "content": ""}))
    for n in range(pace.tokens):
        if pace.per_second:
            # Against the schedule, not after the token before: a late one makes no other late.
            due = started + speaks_s + n / pace.per_second
            await asyncio.sleep(due - time.perf_counter())
        if writer.is_closing():
            raise ConnectionResetError  # Nobody listens any more: uvloop does not say so by itself.
        writer.write((b"%.6f" % time.time()).join(STAMPED_PARTS) if pace.stamped else WORD_CHUNK)
        if not pace.per_second:
            await writer.drain()
    writer.write(chunk({}, "stop") + DONE)
    await writer.drain()


@contextlib.contextmanager
def provider() -> Generator[int]:
    """Start one; its port."""
    with subprocess.Popen([sys.executable, "-m", "bench.pace"], stdout=subprocess.PIPE) as process:
        try:
            yield int(process.stdout.readline()) if process.stdout is not None else 0
        finally:
            process.terminate()
            process.wait(END_S)


if __name__ == "__main__":
    uvloop.run(provide())
