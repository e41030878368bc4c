"""Two loops, one a kind of watch: look, do what is due, say how it stands, and rest. All deciding is the core's."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace
from nats.errors import Error as NatsError

from schemas.document import Deleted
from schemas.values import SOURCES_MAX, Cause
from schemas.watches import AddressWatched, FolderWatched, Watch, WatchState, sources_of
from services.shared.clock import monotonic_ms, now_ms
from services.shared.fetching.fetch import Fetched, Fetcher, FetchError, Validators
from services.shared.log import BusUnavailableError
from services.shared.settings import WatcherSettings
from services.shared.tail import DocumentTail
from services.shared.watches import Kept, WatchStore
from services.watcher import core, folders
from services.watcher.core import Add, Answer, Folder, Has, Refused, Remove, Unchanged, Version
from services.watcher.giving import Documents, Giver, Seen, living

log = logging.getLogger(__name__)

RETRY_S = 1.0
DEFECT_S = 10.0
LOOKED_MS = 30_000
"""A watch's last look is never told later than this, though nothing has changed."""


class Parts(NamedTuple):
    """What followers work with."""

    settings: WatcherSettings
    store: WatchStore
    documents: Documents
    giver: Giver
    fetcher: Fetcher


class Follower(ABC):
    """One watch; `run` until it is cancelled, or its document is deleted."""

    def __init__(self, kept: Kept, parts: Parts) -> None:
        self.kept = kept
        self.parts = parts
        self._woken = asyncio.Event()
        self.is_over = False

    @property
    def watch(self) -> Watch:
        """As it is now."""
        return self.kept.watch

    @property
    def state(self) -> WatchState:
        """How it stands."""
        return self.kept.watch.state

    def hear(self, kept: Kept) -> None:
        """The watch is another one than it was."""
        self.kept = kept
        self._woken.set()

    async def stop(self, running: asyncio.Task[None]) -> None:
        """Return once it follows no longer. `wait_for`, which the bus's client uses, may swallow a cancellation (Python 3.11)."""
        self.is_over = True
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def run(self) -> None:
        """Look, rest, look again."""
        id_ = self.watch.document
        tail = await self.parts.documents.follow(id_)
        try:
            while not self.is_over and not (tail.document is not None and isinstance(tail.document.run, Deleted)):
                try:
                    await self.turn(tail)
                except (BusUnavailableError, NatsError, TimeoutError) as error:
                    log.warning("watch %s again: %s", self.watch.id, error)
                    await asyncio.sleep(RETRY_S)
                except Exception:
                    # A defect in one watch stops no other.
                    log.exception("watch %s", self.watch.id)
                    await asyncio.sleep(DEFECT_S)
        finally:
            await self.parts.documents.leave(id_)

    @abstractmethod
    async def turn(self, tail: DocumentTail) -> None:
        """One look with what follows from it, and one rest."""

    async def rest(self, rest_ms: float) -> None:
        """Until then, or until the watch is another one."""
        if self.is_over:
            return
        self._woken.clear()
        try:
            async with asyncio.timeout(max(rest_ms, 0) / 1_000):
                await self._woken.wait()
        except TimeoutError:
            return

    async def save(self, state: WatchState) -> bool:
        """False where somebody was first: then what they did is known."""
        now = await self.parts.store.change(self.kept, replace(self.watch, state=state))
        if now is None:
            now = await self.parts.store.named(self.watch.id)
            if now is not None:
                self.kept = now
            return False
        self.kept = now
        return True


class FolderFollower(Follower):
    """Keeps the document's sources of one folder what the folder has."""

    def __init__(self, kept: Kept, what: FolderWatched, parts: Parts) -> None:
        super().__init__(kept, parts)
        self._what = what
        self._root: Path | None = parts.settings.folders.get(what.folder)
        self._folder = Folder()
        self._failures = 0
        self._done_for_ms = self.state.looking_since_ms
        """What was told before this has been looked at."""

    async def turn(self, tail: DocumentTail) -> None:
        """One look; the next one is never so soon that two looks prove nothing."""
        began_ms, began = now_ms(), monotonic_ms()
        told_ms = self.state.told_at_ms
        cause: Cause = "webhook" if told_ms > self._done_for_ms else "watcher"
        changed, trouble = await self._look(tail, cause)
        took_ms = monotonic_ms() - began
        if self._failures or all(file.looks >= core.STILL_LOOKS for file in self._folder.files.values()):
            self._done_for_ms = max(self._done_for_ms, told_ms)
        await self._tell(began_ms, trouble, changed=changed)
        until = monotonic_ms() + core.folder_rest_ms(self.parts.settings.scan_ms, took_ms, self._failures)
        earliest = monotonic_ms() + self.parts.settings.scan_ms
        while not self.is_over and (now := monotonic_ms()) < until:
            if self.state.told_at_ms > told_ms and now >= earliest:
                break
            await self.rest((earliest if self.state.told_at_ms > told_ms else until) - now)

    async def _look(self, tail: DocumentTail, cause: Cause) -> tuple[bool, str]:
        """Whether the document was changed, and what is wrong."""
        if self._root is None:
            self._failures += 1
            return False, "This watcher has no folder of that name."
        try:
            listing = await asyncio.to_thread(folders.listing, self._root, self._what.glob)
        except folders.FolderError as error:
            self._failures += 1
            return False, str(error)
        self._failures = 0
        self._folder = core.listed(self._folder, listing)
        for path, stat in core.unread(self._folder):
            data = await self._read(path, stat)
            if data is not None:
                self._folder = core.was_read(self._folder, path, stat, _digest(data))
        return await self._level(tail, cause)

    async def _level(self, tail: DocumentTail, cause: Cause) -> tuple[bool, str]:
        """One thing after the other, each in the document as it then is."""
        changed = False
        while (document := living(tail)) is not None:
            sources = {
                path: Has(source=source.given.id, digest=source.given.digest)
                for path, source in sources_of(self.watch, document).items()
            }
            actions = core.due(self._folder, sources, SOURCES_MAX - len(document.sources))
            if not actions:
                wanted = sum(file.stat is not None and bool(file.digest) for file in self._folder.files.values())
                return changed, core.troubles(self._folder, wanted - len(sources))
            match actions[0]:
                case Remove(source=source):
                    changed |= await self.parts.giver.remove(tail, self.watch, source, cause)
                case Add(path=path, stat=stat, digest=digest) | core.Replace(path=path, stat=stat, digest=digest):
                    data = await self._read(path, stat)
                    if data is not None:
                        seen = Seen(path, data, digest)
                        changed |= await self.parts.giver.give(tail, self.watch, seen, cause)
        return changed, ""

    async def _read(self, path: str, stat: core.Stat) -> bytes | None:
        """None where it is not what the look had found; the folder knows."""
        assert self._root is not None  # noqa: S101 -- a look has just found files in it
        try:
            return await asyncio.to_thread(folders.content, self._root, path, stat)
        except folders.ChangedError:
            self._folder = core.changed_underhand(self._folder, path)
        except OSError as error:
            why = f"It cannot be read: {error.strerror}."
            self._folder = core.was_read(self._folder, path, stat, "", why)
        return None

    async def _tell(self, began_ms: int, trouble: str, *, changed: bool) -> None:
        """How it stands, where that is another thing than what is told already, or what is told is old."""
        was, now = self.state, now_ms()
        files = sum(file.stat is not None for file in self._folder.files.values())
        if (
            not changed
            and (trouble, files) == (was.trouble, was.files)
            and was.told_at_ms <= was.looking_since_ms
            and now - was.looked_at_ms < LOOKED_MS
        ):
            return
        await self.save(
            replace(
                was,
                looking_since_ms=max(began_ms, self._done_for_ms),
                looked_at_ms=now,
                next_look_at_ms=now + self.parts.settings.scan_ms,
                failures=self._failures,
                trouble=trouble,
                files=files,
                changed_at_ms=now if changed else was.changed_at_ms,
            )
        )


class AddressFollower(Follower):
    """Keeps one source of the document what is at an address."""

    def __init__(self, kept: Kept, what: AddressWatched, parts: Parts) -> None:
        super().__init__(kept, parts)
        self._what = what

    async def turn(self, tail: DocumentTail) -> None:
        """Rest until a look is due; who says first that they look, looks."""
        wait_ms = core.due_at_ms(self.state) - now_ms()
        if wait_ms > 0:
            await self.rest(wait_ms)
            return
        was = self.state
        cause: Cause = "webhook" if was.told_at_ms > was.looking_since_ms else "watcher"
        if not await self.save(core.claimed(was, now_ms())):
            return
        changed = False
        try:
            fetched = await self.parts.fetcher.fetch(self._what.url, self._known(tail))
        except FetchError as error:
            answer: Answer = Refused(message=str(error), retry_after_ms=error.retry_after_ms)
        else:
            answer, changed = await self._take(tail, fetched, cause)
        luck = random.random()  # noqa: S311 -- no secret
        while True:
            now = now_ms()
            state = core.answered(self.state, answer, now, self.parts.settings.fetch_ms, luck)
            if await self.save(replace(state, changed_at_ms=now) if changed else state):
                return
            if await self.parts.store.named(self.watch.id) is None:
                return  # Ended in the meantime; whoever ended it stops this, too.

    def _known(self, tail: DocumentTail) -> Validators:
        document = living(tail)
        has = None if document is None else sources_of(self.watch, document).get("")
        etag, last_modified = core.asked_about(self.state, None if has is None else has.given.digest)
        return Validators(etag=etag, last_modified=last_modified)

    async def _take(self, tail: DocumentTail, fetched: Fetched | None, cause: Cause) -> tuple[Answer, bool]:
        if fetched is None:
            return Unchanged(), False
        document = living(tail)
        if document is not None and not sources_of(self.watch, document) and len(document.sources) >= SOURCES_MAX:
            return Refused(message=f"The document has {SOURCES_MAX} sources, which are the most."), False
        seen = Seen("", fetched.data, _digest(fetched.data), fetched.media_type, self._what.url)
        changed = await self.parts.giver.give(tail, self.watch, seen, cause)
        validators = fetched.validators
        version = Version(digest=seen.digest, etag=validators.etag, last_modified=validators.last_modified)
        return version, changed


def follower_of(kept: Kept, parts: Parts) -> Follower:
    """Who follows this kind of watch."""
    match kept.watch.what:
        case FolderWatched() as what:
            return FolderFollower(kept, what, parts)
        case AddressWatched() as what:
            return AddressFollower(kept, what, parts)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
