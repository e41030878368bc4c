"""A gateway process of one's own, for tests that look at how it ends or at what it says."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

END_S = 10.0


class GatewayProcess:
    """`python -m services.gateway` on a free port, and an HTTP client of it."""

    def __init__(self, process: subprocess.Popen[str], address: str, client: httpx2.AsyncClient, said: Path) -> None:
        self.process = process
        self.address = address
        self.client = client
        self._said = said

    @property
    def said(self) -> str:
        """Its log so far."""
        return self._said.read_text(encoding="utf-8")

    async def end(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, END_S)


@asynccontextmanager
async def gateway_process(nats_url: str, directory: Path) -> AsyncGenerator[GatewayProcess]:
    """Streams and buckets must be there."""
    said = directory / "gateway.log"
    environment = {**os.environ, "SCRIPTORIUM_BUS__URL": nats_url}
    command = [sys.executable, "-X", "faulthandler", "-m", "services.gateway", "--host", "127.0.0.1", "--port", "0"]
    with said.open("w") as log:
        process = subprocess.Popen(  # noqa: ASYNC220, S603 -- our own program
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", await asyncio.to_thread(process.stdout.readline))
        assert found is not None, said.read_text()
        async with httpx2.AsyncClient(base_url=found[0], trust_env=False, timeout=20) as client:
            yield GatewayProcess(process, found[0], client, said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, END_S)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGABRT)  # It says where it stands.
                process.wait(END_S)
                raise AssertionError(said.read_text()) from None
        if process.stdout is not None:
            process.stdout.close()
