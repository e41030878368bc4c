"""Runs processes as `supervisor_core` decides, and leaves none behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

from schemas.operations import (
    AnyProcessSample,
    ProcessDied,
    ProcessFrozen,
    ProcessKilled,
    ProcessStarted,
    ProcessTerminated,
    ProcessThawed,
)
from services.cli.supervisor_core import (
    Died,
    EndAsked,
    Event,
    Freeze,
    Kill,
    Over,
    Start,
    State,
    Tell,
    Terminate,
    Thaw,
    WakeAt,
    Woke,
    begun,
    decide,
)
from services.shared.clock import monotonic_ms, now_ms
from services.shared.lineage import die_with

LINE_BYTES_MAX = 64 * 1024
ALL_END_S = 4.5
"""After this, what is still there is killed, whatever it had to say."""

Say = Callable[[str, str], None]
"""(name of the program, line)."""
Notice = Callable[[AnyProcessSample], None]
"""What happened to a process."""

_SENT: dict[signal.Signals, type[ProcessKilled | ProcessTerminated | ProcessFrozen | ProcessThawed]] = {
    signal.SIGKILL: ProcessKilled,
    signal.SIGTERM: ProcessTerminated,
    signal.SIGSTOP: ProcessFrozen,
    signal.SIGCONT: ProcessThawed,
}


def _unnoticed(_sample: AnyProcessSample) -> None:
    """Nobody listens."""


class Program(NamedTuple):
    """What to run: its standard output is for people, its standard error goes to its log file."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path


class Keeper:
    """Keeps one program running: does what the core decides, and tells it what happens."""

    def __init__(self, program: Program, say: Say, notice: Callable[[], Notice]) -> None:
        self.program = program
        self._notice = notice
        self._say = partial(say, program.name)
        self._over = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._state: State
        self._state, effects = begun(monotonic_ms())
        self._do(effects)

    async def end(self) -> None:
        """Return once it is gone, with all that it started."""
        self.hurry()
        await self._over.wait()
        if self._life is not None:
            await asyncio.wait({self._life})

    def hurry(self) -> None:
        """Ask it to end; the second time it is killed."""
        self.happened(EndAsked(at_ms=monotonic_ms()))

    @property
    def state(self) -> State:
        """What it is doing."""
        return self._state

    @property
    def pid(self) -> int:
        """Of the process that runs; 0 where none does."""
        return 0 if self._process is None else self._process.pid

    def happened(self, event: Event) -> None:
        """Somebody asked for something, or it came about: do what the core decides."""
        self._state, effects = decide(self._state, event)
        self._do(effects)
        if isinstance(self._state, Over):
            self._wake_at(None)
            self._over.set()

    def _do(self, effects: Sequence[object]) -> None:
        for effect in effects:
            match effect:
                case Start():
                    self._life = asyncio.create_task(self._live(), name=self.program.name)
                case Terminate():
                    self._signal(signal.SIGTERM)
                case Kill():
                    self._signal(signal.SIGKILL)
                case Freeze():
                    self._signal(signal.SIGSTOP)
                case Thaw():
                    self._signal(signal.SIGCONT)
                case WakeAt(at_ms=at_ms):
                    self._wake_at(at_ms)
                case Tell(text=text):
                    self._say(f"{text}; log: {self.program.log}")
                case _:
                    msg = f"no such effect: {effect}"
                    raise AssertionError(msg)

    def _wake_at(self, at_ms: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if at_ms is not None:
            delay_s = max(at_ms - monotonic_ms(), 0) / 1_000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake, at_ms)

    def _wake(self, at_ms: float) -> None:
        self.happened(Woke(at_ms=max(at_ms, monotonic_ms())))

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            if self._life is not None:
                self._life.cancel()  # Not even started: it never will be.
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGTERM:
                self._process.send_signal(number)
            else:
                os.killpg(self._process.pid, number)
            self._notice()(_SENT[number](at_ms=now_ms(), process=self.program.name, pid=self._process.pid))

    async def _live(self) -> None:
        code = 1
        try:
            code = await self._run()
        except OSError as error:
            self._say(f"cannot be started: {error}")
        finally:
            self.happened(Died(at_ms=monotonic_ms(), code=code))

    async def _run(self) -> int:
        with self.program.log.open("ab") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                env=dict(self.program.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours; they are told in order.
                preexec_fn=partial(die_with, os.getpid()),
                limit=LINE_BYTES_MAX,
            )
        assert process.stdout is not None  # noqa: S101 -- asked for above
        self._notice()(ProcessStarted(at_ms=now_ms(), process=self.program.name, pid=process.pid))
        telling = asyncio.create_task(self._tell(process.stdout))
        try:
            code = await process.wait()
            self._notice()(ProcessDied(at_ms=now_ms(), process=self.program.name, pid=process.pid, code=code))
            return code
        finally:
            # What it started and left behind, itself included where we are cancelled.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            self._process = None
            await telling

    async def _tell(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            self._say(line.decode(errors="replace").rstrip())


class Supervisor:
    """Keeps programs running; leaving the context ends all of them, the first one last: the others still need it."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.keepers: list[Keeper] = []
        self.notice: Notice = _unnoticed
        """Is told what happens to each process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.keepers:
            return
        patience = asyncio.get_running_loop().call_later(ALL_END_S, self.hurry)
        first, *others = self.keepers
        await asyncio.gather(*(keeper.end() for keeper in others))
        await first.end()
        patience.cancel()

    def start(self, program: Program) -> Keeper:
        """Start it and keep it running."""
        keeper = Keeper(program, self._say, lambda: self.notice)
        self.keepers.append(keeper)
        return keeper

    def hurry(self) -> None:
        """Somebody is impatient: kill what is still ending."""
        for keeper in self.keepers:
            keeper.hurry()
