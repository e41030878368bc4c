"""A gateway process of one's own, for tests that look at how it ends or at what it says."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx2

from schemas import subjects
from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.events import AttemptStarted, CellCompleted, CellQueued, TextAppended, encode
from services.shared.bus import Bus
from services.shared.log import append

END_S = 10.0
A1 = attempt_number(1, 1, 1)


class Started(NamedTuple):
    """`python -m services.gateway` on a free port."""

    process: subprocess.Popen[str]
    address: str
    log: Path


class GatewayProcess:
    """One that was started, and an HTTP client of it."""

    def __init__(self, started: Started, client: httpx2.AsyncClient) -> None:
        self.process, self.address, self._log = started
        self.client = client

    @property
    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text(encoding="utf-8")

    async def end(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, END_S)


@contextmanager
def gateway_running(nats_url: str, directory: Path) -> Generator[Started]:
    """Streams and buckets must be there."""
    said = directory / "gateway.log"
    environment = {**os.environ, "SCRIPTORIUM_BUS__URL": nats_url}
    command = [sys.executable, "-X", "faulthandler", "-m", "services.gateway", "--host", "127.0.0.1", "--port", "0"]
    with said.open("w") as log:
        process = subprocess.Popen(  # noqa: S603 -- our own program
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, said.read_text()
        yield Started(process, found[0], said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)  # It says where it stands.
                process.wait(END_S)
                raise AssertionError(said.read_text()) from None
        process.stdout.close()


@asynccontextmanager
async def gateway_client(started: Started) -> AsyncGenerator[GatewayProcess]:
    """With an HTTP client that has no key yet."""
    async with httpx2.AsyncClient(base_url=started.address, trust_env=False, timeout=20) as client:
        yield GatewayProcess(started, client)


@asynccontextmanager
async def gateway_process(nats_url: str, directory: Path) -> AsyncGenerator[GatewayProcess]:
    """One of one's own. Streams and buckets must be there."""
    running = gateway_running(nats_url, directory)
    started = await asyncio.to_thread(running.__enter__)
    try:
        async with gateway_client(started) as process:
            yield process
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def write_cell(bus: Bus, document: str, cell: str, text: str, size: int = 3) -> None:
    """What conductor and writer would say of one cell."""
    queued = CellQueued(at_ms=1, cell=cell, revision=1, job=1, input_digest="i", lane="interactive", deadline_ms=9)
    await append(bus, document, queued)
    await append(bus, document, AttemptStarted(at_ms=2, cell=cell, attempt=A1, writer="w", model="m/a"))
    for at in range(0, len(text), size):
        piece = TextAppended(cell=cell, attempt=A1, offset=at, text=text[at : at + size])
        await bus.js.publish(subjects.ink(document), encode(piece))
    await append(
        bus,
        document,
        CellCompleted(at_ms=3, cell=cell, revision=1, attempt=A1, text=text, output_digest=text_digest(text)),
    )
