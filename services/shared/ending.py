"""How a service ends: by SIGTERM or SIGINT, whatever it is doing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


class Ending:
    """A signal ends a service that runs, in its own order, and cancels one that still starts: it may wait for a bus that never comes."""

    def __init__(self) -> None:
        """In the task that starts the service."""
        self._asked = asyncio.Event()
        self._starting = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ask)

    async def asked(self) -> None:
        """The service runs; wait for a signal."""
        self._starting = None
        await self._asked.wait()

    def _ask(self) -> None:
        self._asked.set()
        if self._starting is not None:
            self._starting.cancel()


def run(serving: Coroutine[Any, Any, None], by: Callable[[Coroutine[Any, Any, None]], None] = uvloop.run) -> None:
    """Run a service until it ends. One that a signal ended while it started has nothing to say."""
    with contextlib.suppress(asyncio.CancelledError):
        by(serving)
