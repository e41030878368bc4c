"""Runs processes, starts again what dies, and leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from services.cli.supervisor_core import Lives, died, started
from services.shared.clock import monotonic_ms

END_S = 3.0
PR_SET_PDEATHSIG = 1
LINE_BYTES_MAX = 64 * 1024

Say = Callable[[str, str], None]


class Program(NamedTuple):
    """What to run: its standard output is for people, its standard error goes to its log file."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


def _die_with_parent() -> None:
    # Linux: even SIGKILL of the supervisor leaves no process behind (prctl(2)).
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Supervisor:
    """One task a program; leaving the context ends all of them, the first one started last."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._tasks: list[asyncio.Task[None]] = []
        self._ready: dict[str, asyncio.Event] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        first, *others = self._tasks or [None]
        for tasks in (others, [first]):
            running = [task for task in tasks if task is not None]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def start(self, program: Program) -> asyncio.Event:
        """Run it for good; the event is set once it has said its first line."""
        ready = self._ready[program.name] = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._keep(program, ready), name=program.name))
        return ready

    async def _keep(self, program: Program, ready: asyncio.Event) -> None:
        lives = Lives()
        while True:
            lives = started(lives, monotonic_ms())
            code = await self._run(program, ready)
            lives, delay_ms = died(lives, monotonic_ms())
            how = f"signal {-code}" if code < 0 else f"code {code}"
            self._say(program.name, f"died ({how}); again in {delay_ms / 1_000:.1f} s; see {program.log}")
            await asyncio.sleep(delay_ms / 1_000)

    async def _run(self, program: Program, ready: asyncio.Event) -> int:
        with program.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                env=dict(program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours; they are told in order.
                preexec_fn=_die_with_parent,
                limit=LINE_BYTES_MAX,
            )
        try:
            assert process.stdout is not None  # noqa: S101 -- asked for above
            async for line in process.stdout:
                self._say(program.name, line.decode(errors="replace").rstrip())
                ready.set()
            return await process.wait()
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
