"""Old history goes, by conductors that are killed in the middle of it, and everybody still has the document."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas import document as documents
from schemas import subjects
from schemas.cells import text_digest
from schemas.document import Document
from schemas.events import (
    AnyFact,
    DocumentCompleted,
    DocumentDeleted,
    DocumentEdited,
    SourceIngested,
    SourceReplaced,
    decode_fact,
)
from schemas.values import SourceGiven
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import append, read
from services.shared.opening import Begun, folded_in, log_of
from services.shared.snapshots import STREAM, Snapshots
from services.shared.sources import SourceStore
from tests.integration.conftest import BusFactory
from tests.integration.gateway.test_gateway_viewers import Reader
from tests.integration.gateways import GatewayProcess
from tests.integration.test_conductor import Conductors, conductor
from tests.integration.test_snapshots import ALL, ID, facts, first, left, opened, record, told, until

__all__ = ["conductor"]
YEAR_MS = 365 * 24 * 3_600_000
OLD, EDITS_KEPT = 800, 10
LOG = subjects.facts_stored(ID)


def given(text: str) -> SourceGiven:
    return SourceGiven(id="s1", name="S", media_type="text/plain", size_bytes=9, digest=text_digest(text))


def _log() -> list[AnyFact]:
    """A document that was written a year ago, from a source that was replaced, and has been edited often."""
    read_ = SourceIngested(at_ms=0, source="s1", digest=text_digest("read"), passages=1, characters=9)
    beginning = (
        replace(first(), sources=(given("before"),)),
        read_,
        SourceReplaced(at_ms=0, source=given("now")),
        read_,
    )
    end = DocumentCompleted(at_ms=0, cells_completed=1, cells_failed=0)
    return [replace(fact, at_ms=now_ms() - YEAR_MS) for fact in (*beginning, *facts(OLD), end)]


async def moments(bus: Bus) -> dict[int, Document]:
    """What the document was after each fact."""
    found: dict[int, Document] = {}
    document: Document | None = None
    async for stored in read(bus.client, subjects.FACTS, LOG):
        document = found[stored.sequence] = folded_in(ID, document, stored.sequence, decode_fact(stored.data))
    return found


async def _oldest(bus: Bus) -> int:
    async for stored in read(bus.client, subjects.FACTS, LOG, only=1):
        return stored.sequence
    return 0


async def _base(bus: Bus) -> int:
    known = (await Snapshots(bus).known(ID)).get("base")
    return 0 if known is None or known.info is None else known.info.sequence


@pytest.fixture
def _short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPTORIUM_HISTORY__FACTS", "100")
    monkeypatch.setenv("SCRIPTORIUM_HISTORY__EDITS", str(EDITS_KEPT))


@pytest.mark.usefixtures("_short_history")
async def test_history_goes_while_conductors_are_killed_and_nobody_loses_the_document(
    bus: BusFactory, house: GatewayProcess, conductor: Conductors
) -> None:
    here = await bus("operator")
    await record(here, _log())
    store = await SourceStore.open(here)
    for text in ("before", "now"):
        await store.put_bytes(ID, "s1", text_digest(text), text.encode())
    was = await moments(here)
    edits = sorted(was)[4:-1]
    early = edits[5]
    watching = Reader(house, ID)
    await watching.open()
    await watching.until("snapshot")

    killed = await conductor()
    await until(lambda: _is_between(here))
    killed.kill()
    await killed.wait()
    assert 1 < await left(here, subjects.FACTS, LOG) < len(was)
    assert await opened(here) == [await _truth(here, was)] * 3

    await conductor()
    await until(lambda: _is_over(here))
    base = await _base(here)
    assert base == edits[-EDITS_KEPT - 1]
    assert await opened(here) == [await _truth(here, was)] * 3
    assert await left(here, subjects.FACTS, LOG) == len([at for at in was if at >= base])
    assert await store.get_bytes(ID, "s1", text_digest("before")) is None
    assert await store.get_bytes(ID, "s1", text_digest("now")) == b"now"

    # Whoever was away for so long is given the document anew, and not what is left of its log.
    behind = [one async for one in log_of(here, ID, early)]
    assert isinstance(behind[0], Begun)
    assert behind[0].document == was[behind[0].document.sequence]

    # Who watches goes on, who comes back from a moment that is gone begins anew; both have the document.
    back = Reader(house, ID)
    await back.open(f"1-{early}-0")
    await back.until("snapshot")
    await append(here, ID, DocumentEdited(at_ms=now_ms(), title="Still there"))
    for reader in (watching, back):
        await reader.until("DocumentEdited")
        reader.close()
        assert reader.document == await _truth(here, was)
    assert watching.count("snapshot") == 1

    await _can_look_back(house, was, base, early)

    await append(here, ID, DocumentDeleted(at_ms=now_ms()))
    await until(lambda: _is_erased(here))
    assert await left(here, STREAM, ALL) == 0
    assert await store.get_bytes(ID, "s1", text_digest("now")) is None


async def _can_look_back(house: GatewayProcess, was: dict[int, Document], base: int, early: int) -> None:
    """At what is there; and is told where that begins."""
    path = f"/api/documents/{ID}"
    for moment in (at for at in was if at >= base):
        answer = await house.client.get(path, params={"at": moment})
        assert answer.status_code == 200
        assert documents.decode(answer.content) == was[moment]
    for asked in ({"at": early}, {"at": base - 1}):
        answer = await house.client.get(path, params=asked)
        assert (answer.status_code, answer.json()["earliest"]) == (410, base)
        assert answer.json()["errors"][0]["pointer"] == "at"
        assert answer.headers["content-type"] == "application/problem+json"
    answer = await house.client.get(f"{path}/compare", params={"from": early})
    assert (answer.status_code, answer.json()["earliest"]) == (410, base)
    compared = (await house.client.get(f"{path}/compare", params={"from": base, "to": max(was)})).json()
    completed = was[base].cells["a"].completed
    assert completed is not None
    assert compared["cells"][0]["before"] == completed.text
    history = (await house.client.get(f"{path}/history")).json()
    assert history["earliest"] == base
    assert len(history["changes"]) == EDITS_KEPT + 1
    assert all(change["sequence"] > base for change in history["changes"])


async def _is_between(bus: Bus) -> bool:
    base = await _base(bus)
    return base > 0 and 1 < await _oldest(bus) < base


async def _is_over(bus: Bus) -> bool:
    return await _oldest(bus) == await _base(bus)


async def _is_erased(bus: Bus) -> bool:
    return await left(bus, subjects.FACTS, LOG) == 1


async def _truth(bus: Bus, was: dict[int, Document]) -> Document:
    """What the whole log would tell; what is beyond what is known of it is added to that."""
    async for stored in read(bus.client, subjects.FACTS, LOG, max(was)):
        was[stored.sequence] = folded_in(ID, was[max(was)], stored.sequence, decode_fact(stored.data))
    return was[max(was)]


async def test_a_base_is_never_followed_by_an_earlier_one(bus: BusFactory) -> None:
    here = await bus("operator")
    await record(here, [first(), *facts(9)])
    was = await moments(here)
    early, late = sorted(was)[3], sorted(was)[6]
    snapshots = Snapshots(here)
    assert await snapshots.keep(was[late], "base")
    assert not await snapshots.keep(was[early], "base")
    assert await _base(here) == late
    assert await told(here) == was[max(was)]
