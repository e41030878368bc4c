"""Opening with a snapshot, or with one that is torn, stale, foreign or missing: everybody has the document that the log tells."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from msgspec.structs import replace

from schemas import subjects
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import AnyFact, CellEdited, DocumentCreated, DocumentDeleted, decode_fact, encode
from schemas.snapshots import FACTS_AT_REST_MIN, Info, encode_info
from schemas.values import Policy, Section
from services.gateway.hub import Hub
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.erase import erase
from services.shared.log import append, read
from services.shared.opening import FIRST_FACTS, Begun, folded_in, log_of, read_document
from services.shared.snapshots import STREAM, Snapshots
from services.shared.tail import DocumentTail
from tests.integration.conftest import BusFactory
from tests.integration.test_conductor import Conductors, conductor

__all__ = ["conductor"]
ID = "5" * 32
ALL = f"$O.{subjects.SNAPSHOTS}.*.{ID}.>"
WORD = "xylographic"
PATIENCE_S = 30.0
T = TypeVar("T")
Damage = Callable[[Bus, Info], Awaitable[None]]


def facts(number: int, since: int = 0) -> list[AnyFact]:
    """A document that somebody writes by hand, again and again."""
    texts = [f"{WORD} {n}" for n in range(since, since + number)]
    return [
        CellEdited(at_ms=now_ms(), cell="a", text=text, input_digest="", output_digest=text_digest(text))
        for text in texts
    ]


async def record(bus: Bus, some: list[AnyFact]) -> None:
    await asyncio.gather(*[await bus.js.publish_async(subjects.facts(ID), encode(fact)) for fact in some])


def first() -> DocumentCreated:
    outline = (Section(id="a", heading="A"),)
    return DocumentCreated(at_ms=now_ms(), title="T", brief="B", policy=Policy(), outline=outline)


async def told(bus: Bus) -> Document:
    """What the whole log tells."""
    document: Document | None = None
    async for stored in read(bus.client, subjects.FACTS, subjects.facts_stored(ID)):
        document = folded_in(ID, document, stored.sequence, decode_fact(stored.data))
    assert document is not None
    return document


async def opened(bus: Bus) -> list[Document | None]:
    """As everybody opens it: an ingester or conductor, a writer, a gateway."""
    tail, hub = DocumentTail(bus, ID), Hub(bus, ID)
    await tail.start()
    await hub.start()
    shown = [await read_document(bus, ID), tail.document, hub.document]
    await tail.stop()
    await hub.stop()
    return shown


async def begins_with(bus: Bus) -> int:
    """The sequence of the snapshot that one begins with; 0: with the log."""
    async for one in log_of(bus, ID):
        return one.document.sequence if isinstance(one, Begun) else 0
    return 0


async def left(bus: Bus, stream: str, subject: str) -> int:
    """How many messages a stream still has of it."""
    return len([1 async for _ in read(bus.client, stream, subject)])


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """What is seen, once it is something."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.05)


@pytest.fixture
async def here(bus: BusFactory) -> Bus:
    made = await bus("operator")
    await record(made, [first(), *facts(FIRST_FACTS + 20)])
    return made


async def _put(bus: Bus, info: Info) -> None:
    await bus.js.publish(subjects.snapshot_info(ID, "newest"), encode_info(info))


async def _lose_a_part(bus: Bus, info: Info) -> None:
    await erase(bus, STREAM, subjects.snapshot_parts(ID, name=info.name))


async def _change_a_part(bus: Bus, info: Info) -> None:
    await erase(bus, STREAM, subjects.snapshot_parts(ID, name=info.name))
    await bus.js.publish(subjects.snapshot_parts(ID, "newest", info.sequence, info.name), b"\x00torn")


async def _say_nonsense(bus: Bus, info: Info) -> None:
    await bus.js.publish(subjects.snapshot_info(ID, "newest"), b"\xff" + encode_info(info))


async def _say_of_another_fold(bus: Bus, info: Info) -> None:
    await _put(bus, replace(info, version="another"))


async def _say_of_another_log(bus: Bus, info: Info) -> None:
    await _put(bus, replace(info, fact="0" * 64))


async def _say_of_a_longer_log(bus: Bus, info: Info) -> None:
    await _put(bus, replace(info, sequence=info.sequence + 1_000))


async def _lose_all(bus: Bus, _info: Info) -> None:
    await erase(bus, STREAM, ALL)


async def _lose_the_bucket(bus: Bus, _info: Info) -> None:
    await bus.js.delete_stream(STREAM)


DAMAGES: tuple[Damage, ...] = (
    _lose_a_part,
    _change_a_part,
    _say_nonsense,
    _say_of_another_fold,
    _say_of_another_log,
    _say_of_a_longer_log,
    _lose_all,
    _lose_the_bucket,
)


async def test_whoever_opens_a_document_begins_with_its_snapshot_and_reads_the_log_s_rest(here: Bus) -> None:
    early = await told(here)
    assert await begins_with(here) == 0
    assert await Snapshots(here).keep(early, "newest")
    assert await begins_with(here) == early.sequence
    await record(here, facts(5, since=1_000))
    assert await opened(here) == [await told(here)] * 3
    assert await begins_with(here) == early.sequence
    # A later one takes its place: nothing is left of the earlier, and no replica that was slow puts it back.
    later = await told(here)
    assert await Snapshots(here).keep(later, "newest")
    assert not await Snapshots(here).keep(early, "newest")
    assert await begins_with(here) == later.sequence
    assert await left(here, STREAM, ALL) == 2


async def test_a_snapshot_that_is_not_of_this_log_or_not_whole_is_not_used(here: Bus) -> None:
    document = await told(here)
    for damage in DAMAGES:
        await erase(here, STREAM, ALL)
        assert await Snapshots(here).keep(document, "newest"), damage
        info = (await Snapshots(here).known(ID))["newest"].info
        assert info is not None
        await damage(here, info)
        assert await begins_with(here) == 0, damage
        assert await opened(here) == [document] * 3, damage


async def test_a_conductor_keeps_a_document_that_rests_and_throws_its_snapshots_away_with_it(
    here: Bus, conductor: Conductors
) -> None:
    await record(here, facts(FACTS_AT_REST_MIN, since=1_000))
    await conductor()
    assert await until(lambda: begins_with(here)) > FACTS_AT_REST_MIN
    assert await opened(here) == [await told(here)] * 3
    await append(here, ID, DocumentDeleted(at_ms=now_ms()))

    async def is_erased() -> bool:
        return await left(here, subjects.FACTS, subjects.facts_stored(ID)) == 1

    assert await until(is_erased)
    assert await left(here, STREAM, ALL) == 0
