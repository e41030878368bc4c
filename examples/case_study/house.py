"""What an exercise runs in: the simulator as the model, and the application on a free port of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, NamedTuple, Protocol

import httpx2
import uvicorn
from starlette.applications import Starlette

from examples.case_study.model import Model

HOST = "127.0.0.1"
PATIENCE_S = 60.0
LOOK_S = 0.05
"""Over HTTP there is nothing to wait for but the next answer."""
SAYS = "simulator listening on "

Application = Callable[[Model], Starlette]


class Ends(NamedTuple):
    """Both ends of the application: its own HTTP face, and the simulator's, with dials and a record of its calls."""

    app: httpx2.AsyncClient
    model: httpx2.AsyncClient


async def settled(model: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """The simulator's record of all calls once it has seen each of them end: a client has the last word before that is written down."""
    while (await model.get("/record/open")).json():  # noqa: ASYNC110 -- it happens at the far end
        await asyncio.sleep(LOOK_S)
    return (await model.get("/record")).json()


class Check(Protocol):
    """Says whether an application has the property that its exercise is about: AssertionError where it has not."""

    async def __call__(self, ends: Ends, /) -> None:
        """Look at both ends."""
        ...


@contextlib.contextmanager
def simulated() -> Generator[str]:
    """The simulator as a process of its own; its address."""
    command = [sys.executable, "-m", "services.simulator", "--host", HOST, "--port", "0", "--no-bus"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603 -- our own program
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix(SAYS).strip()
        finally:
            process.terminate()


@contextlib.asynccontextmanager
async def serving(application: Application, simulator: str, port: int = 0) -> AsyncGenerator[str]:
    """Serve an application whose model is the simulator; its address."""
    async with httpx2.AsyncClient(base_url=simulator, trust_env=False, timeout=PATIENCE_S) as http:
        config = uvicorn.Config(
            application(Model(http)), HOST, port, log_level="warning", lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve())
        while not server.started:
            if running.done():
                await running
            await asyncio.sleep(0)
        try:
            yield f"http://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


async def checked(check: Check, application: Application, simulator: str) -> None:
    """Run an exercise's check against one application. AssertionError says what is missing."""
    async with (
        serving(application, simulator) as address,
        httpx2.AsyncClient(base_url=address, trust_env=False, timeout=PATIENCE_S) as app,
        httpx2.AsyncClient(base_url=simulator, trust_env=False, timeout=PATIENCE_S) as model,
    ):
        await model.delete("/dials")
        await model.delete("/record")
        async with asyncio.timeout(PATIENCE_S):
            await check(Ends(app, model))
