"""`scriptorium up`: a nats-server of our own and every service, each a process, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import httpx2
import msgspec
from rich.console import Console

from services.cli.control import controlled
from services.cli.house import House
from services.cli.supervisor import Say, Supervisor
from services.shared.clock import monotonic_ms

OK = 200
POLL_S = 0.1
PATIENCE_MS = 15_000
"""After this long without being ready, say what is missing."""


class _Readiness(msgspec.Struct):
    detail: str = ""


def start(house: House, supervisor: Supervisor, say: Say) -> None:
    """Start every program."""
    for program in house.programs():
        supervisor.start(program)
        if program.name == "nats-server":
            say(program.name, f"nats-server on port {house.nats_port}, data in {house.options.data}")
    for note in house.notes:
        say("gateway", note)


async def until_ready(house: House, say: Say) -> None:
    """Return once a document could be written."""
    told_ms = monotonic_ms()
    async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
        while True:
            missing = ""
            try:
                response = await client.get(f"{house.address}/readyz")
            except httpx2.HTTPError:
                missing = "The gateway does not answer."
            else:
                if response.status_code == OK:
                    return
                missing = _missing(response.content)
            if monotonic_ms() - told_ms > PATIENCE_MS:
                told_ms = monotonic_ms()
                say("up", f"still waiting. {missing} Logs are in {house.logs}")
            await asyncio.sleep(POLL_S)


def _missing(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Readiness).detail
    except msgspec.DecodeError:
        return ""


async def up(house: House) -> int:
    """Run until SIGINT or SIGTERM; a second one kills what is still ending. The exit code."""
    console = Console(highlight=False, soft_wrap=True)

    def say(name: str, line: str) -> None:
        console.print(f"[bold]{name:<12}[/bold]", end="")
        console.print(line, markup=False)

    async with Supervisor(say) as supervisor, controlled(house, supervisor):
        stopping = _stopping(supervisor.hurry)
        start(house, supervisor, say)
        ready = asyncio.create_task(until_ready(house, say))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            await ready  # Its defects are ours.
            console.print(f"\nScriptorium is at [bold]{house.address}[/bold]  (Ctrl-C ends it)\n")
        await stopped
        ready.cancel()
        console.print("Ending.")
    return 0


def _stopping(hurry: Callable[[], None]) -> asyncio.Event:
    asked = asyncio.Event()

    def on_signal() -> None:
        if asked.is_set():
            hurry()
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return asked
