"""Whatever is read while history is removed, by whomever it is removed, and wherever they are killed: it is the document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import subjects
from schemas.compaction import Rule, Version, given_to, versions
from schemas.document import Document
from schemas.events import AnyFact, encode
from schemas.snapshots import decode_info, encode_info
from services.conductor.compaction import compact
from services.shared import opening
from services.shared.log import Stored
from services.shared.opening import Begun, folded_in, log_of
from services.shared.snapshots import STREAM, Snapshots
from tests.simulation.edit_world import RecordedWorld
from tests.simulation.log_bus import LAGS, LogBus, lag

seeds = st.integers(0, 2**32 - 1)
FIRST_FACTS = 4
PAUSE_MAX = 100
RULE = Rule(age_ms=0, edits=2, facts=3)


class Play:
    """A log that grows, is read, followed, kept, compacted; and what it tells, told beside it."""

    def __init__(self, seed: int) -> None:
        self.fake = LogBus(seed)
        self.rng = self.fake.rng
        world = RecordedWorld(seed)
        world.settle()
        for _ in range(self.rng.randint(1, 6)):
            world.edit()
            world.settle()
        self.id = world.document.id
        self.facts = world.log
        self.told: dict[int, Document] = {}
        """The document after each fact, whatever is left of the log."""
        self.now: Document | None = None
        self.subject = f"doc.1.{self.id}"
        self.given: dict[int, tuple[Version, ...]] = {}
        self.gone: set[Version] = set()

    def grow(self, number: int) -> None:
        for _ in range(min(number, len(self.facts))):
            fact = self.facts.pop(0)
            sequence = self.fake.store(subjects.FACTS, self.subject, encode(fact))
            self.now = folded_in(self.id, self.now, sequence, fact)
            self.told[sequence] = self.now
            self.given[sequence] = versions(fact)

    def left(self) -> list[int]:
        return sorted(self.fake.streams[subjects.FACTS])

    async def read(self, document: Document | None = None, *, everything: bool = False) -> Document | None:
        """From nothing, or on from what somebody has."""
        assert self.now is not None
        least = self.now.sequence
        is_lost = document is not None and document.sequence < self.left()[0]
        async for one in log_of(
            self.fake.bus, self.id, 0 if document is None else document.sequence, everything=everything
        ):
            assert not is_lost or isinstance(one, Begun), "what was removed is passed over"
            is_lost = False
            match one:
                case Begun():
                    document = one.document
                    assert document == self.told[document.sequence]
                case Stored():
                    document = folded_in(self.id, document, one.sequence, decode(one))
        assert document is not None
        assert document == self.told[document.sequence]
        assert document.sequence >= least
        return document

    async def follow(self, start: int) -> None:
        """Somebody who knows an early moment, and is away for long now and then."""
        document: Document | None = self.told[start]
        for _ in range(self.rng.randint(1, 3)):
            await self.pause()
            document = await self.read(document)

    async def keep(self) -> None:
        await self.pause()
        document = self.told[self.rng.choice(sorted(self.told))]
        await Snapshots(self.fake.bus).keep(document, "newest")

    async def compact(self) -> None:
        await self.pause()
        await compact(self.fake.bus, self.id, RULE, lambda: True, self.forget)

    async def forget(self, version: Version) -> None:
        await self.fake.moment()
        self.gone.add(version)

    async def damage(self) -> None:
        """A newest snapshot is torn. It is nobody's last resort."""
        await self.pause()
        stored = self.fake.streams.get(STREAM, {})
        torn = [at for at, (subject, _) in stored.items() if ".C." in subject and ".newest." in subject]
        if torn:
            del stored[self.rng.choice(torn)]

    async def upgrade(self) -> None:
        """From now on another version folds; what was kept before is of an earlier one."""
        await self.pause()
        stored = self.fake.streams.get(STREAM, {})
        for at, (subject, data) in tuple(stored.items()):
            info = decode_info(data) if ".M." in subject else None
            if info is not None:
                stored[at] = (subject, encode_info(replace(info, version="of old")))

    async def pause(self) -> None:
        for _ in range(self.rng.randint(0, PAUSE_MAX)):
            await self.fake.moment()

    async def at_some_pace(self, do: Callable[[], Awaitable[object]]) -> None:
        lag.set(self.rng.choice(LAGS))
        await do()

    async def play(self) -> None:
        self.grow(self.rng.randint(1, max(len(self.facts) // 2, 1)))
        doing: list[asyncio.Task[None]] = []
        for _ in range(self.rng.randint(5, 14)):
            make = self.rng.choice(
                [
                    self.read,
                    lambda: self.read(everything=True),
                    lambda: self.follow(self.rng.choice(sorted(self.told))),
                    self.keep,
                    self.compact,
                    self.compact,
                    self.damage,
                    self.upgrade,
                ]
            )
            doing.append(asyncio.create_task(self.at_some_pace(make)))
            if self.rng.random() < 0.5:
                await self.pause()
                self.grow(self.rng.randint(0, 8))
            if self.rng.random() < 0.4:
                await self.pause()
                killed = self.rng.choice(
                    doing
                )  # As SIGKILL would: at whatever it awaits, and nothing is done after it.
                killed.cancel()
        for ended in await asyncio.gather(*doing, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        self.grow(len(self.facts))
        await self.compact()
        await self.read()
        await self.read(everything=True)
        self.check()

    def check(self) -> None:
        """What is left is the log's end, without a hole, and the rule lets none of it go."""
        left = self.left()
        assert left == sorted(self.told)[-len(left) :]
        known = {version for sequence in left[1:] for version in self.given[sequence]}
        known |= given_to(self.told[left[0]])
        assert self.gone == {version for given in self.given.values() for version in given} - known


def decode(stored: Stored) -> AnyFact:
    return opening.decode_fact(stored.data)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=seeds)
def test_everybody_reads_the_document_while_its_history_is_removed_and_whoever_does_that_is_killed(seed: int) -> None:
    before, opening.FIRST_FACTS = opening.FIRST_FACTS, FIRST_FACTS
    try:
        asyncio.run(Play(seed).play())
    finally:
        opening.FIRST_FACTS = before
