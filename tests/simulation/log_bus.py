"""A bus of pure values for those who read and remove logs: streams, direct get, publishing with an expected sequence, deleting.

Between any two answers anything else may run, drawn from one seed; so messages may go while they are being read.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextvars import ContextVar
from typing import NamedTuple, cast

import msgspec
from nats.js.errors import APIError, NotFoundError

from schemas import subjects
from services.shared.bus import Bus
from services.shared.log import WRONG_LAST_SEQUENCE

LAGS = (1, 2, 3, 30)
lag: ContextVar[int] = ContextVar("lag", default=2)
"""How slow the one who asks is: so many moments may pass between any two answers."""
BATCHES = "$JS.API.DIRECT.GET."


class _Ack(NamedTuple):
    seq: int


class _Answer(NamedTuple):
    data: bytes
    headers: Mapping[str, str]


class _Ask(msgspec.Struct):
    seq: int
    next_by_subj: str
    batch: int


class LogBus:
    """What `services.shared` asks of a bus, as far as logs and snapshots go."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 -- a schedule, not a secret
        self.streams: dict[str, dict[int, tuple[str, bytes]]] = {}
        self.last: dict[str, int] = {}
        self.client = self
        self.js = self
        self._asks: dict[str, _Batch] = {}
        self._inboxes = 0

    @property
    def bus(self) -> Bus:
        """As those take it who are given one."""
        return cast("Bus", self)

    async def moment(self) -> None:
        """Let the others do something."""
        for _ in range(self.rng.randint(0, lag.get())):
            await asyncio.sleep(0)

    def store(self, stream: str, subject: str, data: bytes) -> int:
        """At its end."""
        sequence = self.last[stream] = self.last.get(stream, 0) + self.rng.randint(1, 2)  # Others write to it, too.
        self.streams.setdefault(stream, {})[sequence] = (subject, data)
        return sequence

    # -- nats-py's client ---------------------------------------------------------------------------------------------------

    def new_inbox(self) -> str:
        self._inboxes += 1
        return f"inbox.{self._inboxes}"

    async def subscribe(self, inbox: str, **_limits: int) -> _Batch:
        batch = self._asks[inbox] = _Batch(self)
        return batch

    async def publish(
        self,
        subject: str,
        data: bytes,
        reply: str = "",
        timeout: float = 0,  # noqa: ASYNC109, ARG002 -- nats-py's name
        headers: Mapping[str, str] | None = None,
    ) -> _Ack:
        await self.moment()
        if subject.startswith(BATCHES):
            self._asks[reply].ask(subject.removeprefix(BATCHES), msgspec.json.decode(data, type=_Ask))
            return _Ack(0)
        stream = f"OBJ_{subjects.SNAPSHOTS}"
        expected = (headers or {}).get(subjects.HEADER_EXPECTED)
        found = [at for at, (of, _) in self.streams.get(stream, {}).items() if of == subject]
        if expected is not None and int(expected) != max(found, default=0):
            raise APIError(code=400, err_code=WRONG_LAST_SEQUENCE, description="wrong last sequence")
        ack = _Ack(self.store(stream, subject, data))
        await self.moment()
        return ack

    # -- Its JetStream context ----------------------------------------------------------------------------------------------

    async def delete_msg(self, stream: str, sequence: int) -> None:
        await self.moment()
        if self.streams.get(stream, {}).pop(sequence, None) is None:
            raise NotFoundError
        await self.moment()

    async def purge_stream(self, stream: str, subject: str, seq: int | None = None) -> None:
        await self.moment()
        for at, (of, _) in tuple(self.streams.get(stream, {}).items()):
            if _matches(subject, of) and (seq is None or at < seq):
                del self.streams[stream][at]


class _Batch:
    """One direct get's answers, each looked up when it is taken."""

    def __init__(self, bus: LogBus) -> None:
        self._bus = bus

    def ask(self, stream: str, ask: _Ask) -> None:
        self._stream, self._ask, self._left, self._at = stream, ask, ask.batch, ask.seq

    async def next_msg(self, timeout: float) -> _Answer:  # noqa: ASYNC109, ARG002 -- nats-py's name
        await self._bus.moment()
        messages = self._bus.streams.get(self._stream, {})
        pending = sorted(
            at for at, (of, _) in messages.items() if at >= self._at and _matches(self._ask.next_by_subj, of)
        )
        if not pending or not self._left:
            return _Answer(b"", {"Status": "204", "Nats-Num-Pending": str(len(pending))})
        at = pending[0]
        self._left, self._at = self._left - 1, at + 1
        subject, data = messages[at]
        return _Answer(data, {subjects.HEADER_SEQUENCE: str(at), "Nats-Subject": subject})

    async def unsubscribe(self) -> None:
        """Nothing is on its way."""


def _matches(pattern: str, subject: str) -> bool:
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted, tokens = wanted[:-1], tokens[: len(wanted) - 1] if len(tokens) >= len(wanted) else []
    return len(wanted) == len(tokens) and all(one in {"*", token} for one, token in zip(wanted, tokens, strict=True))
