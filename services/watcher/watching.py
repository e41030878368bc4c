"""Which watches there are: read from their bucket, heard of live, and read again after the bus was away."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from schemas import subjects, watches
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import BusUnavailableError
from services.shared.watches import Kept
from services.watcher.followers import Follower, Parts, follower_of

log = logging.getLogger(__name__)

FOLLOWED_MAX = 10_000
RETRY_S = 0.2


class Watching:
    """A follower for each watch."""

    def __init__(self, bus: Bus, parts: Parts) -> None:
        self._bus = bus
        self._parts = parts
        self._followers: dict[str, tuple[Follower, asyncio.Task[None]]] = {}
        self._telling: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen first, then read what was there before."""
        await self._bus.client.subscribe(subjects.live_watches(), cb=self._heard)
        await self._bus.client.subscribe(subjects.source_changed(), cb=self._told)
        self._bus.on_reconnected(self.refresh)
        await self.refresh()

    async def close(self) -> None:
        """Follow nothing any more."""
        for id_ in tuple(self._followers):
            await self._leave(id_)
        for task in self._telling:
            task.cancel()

    async def refresh(self) -> None:
        """What the bucket has is followed, and nothing else. However long the bus needs for it."""
        before = set(self._followers)  # One that is heard of meanwhile is not in what is read.
        while True:
            try:
                found = await self._parts.store.all()
            except (BusUnavailableError, NatsError, TimeoutError) as error:
                log.warning("watches again: %s", error)
                await asyncio.sleep(RETRY_S)
            else:
                break
        for kept in found:
            self._follow(kept)
        for id_ in before - {kept.watch.id for kept in found}:
            await self._leave(id_)

    def _follow(self, kept: Kept) -> None:
        id_ = kept.watch.id
        known = self._followers.get(id_)
        if known is not None and not known[1].done():
            if kept.sequence > known[0].kept.sequence:
                known[0].hear(kept)
            return
        if len(self._followers) >= FOLLOWED_MAX:
            log.error("watch %s is not followed: more than %s", id_, FOLLOWED_MAX)
            return
        follower = follower_of(kept, self._parts)
        self._followers[id_] = follower, asyncio.create_task(follower.run(), name=f"watch {id_}")

    async def _leave(self, id_: str) -> None:
        known = self._followers.pop(id_, None)
        if known is not None:
            follower, running = known
            await follower.stop(running)

    async def _heard(self, message: Msg) -> None:
        id_ = message.subject.rsplit(".", 1)[1]
        if not message.data:
            await self._leave(id_)
            return
        sequence = int((message.headers or {})[subjects.HEADER_SEQUENCE])
        try:
            self._follow(Kept(sequence, watches.decode(message.data)))
        except msgspec.DecodeError:
            log.exception("no watch: %s", message.subject)

    async def _told(self, message: Msg) -> None:
        """Somebody says that it has changed. Written down first: a watcher that dies now has still been told."""
        id_ = message.subject.split(".")[1]
        if id_ not in self._followers:
            return
        said = message.data.decode("ascii", "replace")[: watches.TOLD_AT_CHARACTERS_MAX]
        at_ms = int(said) if said.isdecimal() else now_ms()
        task = asyncio.create_task(self._write_down(id_, min(at_ms, now_ms())))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _write_down(self, id_: str, at_ms: int) -> None:
        try:
            kept = await self._parts.store.tell(id_, at_ms)
        except (BusUnavailableError, NatsError, TimeoutError) as error:
            log.warning("watch %s was told, and could not be written down: %s", id_, error)
            return
        if kept is not None:
            self._follow(kept)
