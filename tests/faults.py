"""Many documents on models of which so many calls go wrong, all kinds mixed: played against the whole system, and counted."""

from __future__ import annotations

import asyncio
import statistics
from typing import Any, NamedTuple

import httpx2

from schemas import subjects
from schemas.document import Abandoned, Completed, Document, Done, Paused
from schemas.events import (
    AnyFact,
    AttemptStarted,
    CallReserved,
    DocumentCompleted,
    DocumentFailed,
    DocumentPaused,
    decode_fact,
)
from schemas.fold import created, fold
from services.shared.attempt.repetition import REPEATED_CHARACTERS_MIN
from services.shared.log import read
from tests.system import System, create, sections

SECTIONS = 8
CREATED_AT_ONCE = 16
SOURCE = (
    "A scriptorium was a room in a monastery where scribes copied books by hand. Each scribe copied one part, so that a whole book "
    "was finished in a fraction of the time. The parts were bound into one volume when the ink had dried. A corrector compared "
    "every copied page with its exemplar and marked the errors in the margin. Ink was made from oak galls and iron."
)
ENVIRONMENT = {
    "SCRIPTORIUM_LIMITS__FIRST_TOKEN_MS": "2000",
    "SCRIPTORIUM_LIMITS__BETWEEN_TOKENS_MS": "1500",
    "SCRIPTORIUM_WRITER__SLOTS": "48",
}
"""A stall is waited for in every run of many; with a model this quick it is told sooner."""
PACE: dict[str, Any] = {"pace": "fixed", "first_token_ms": 30, "token_interval_ms": 2, "seed": 1}
ENDS = DocumentCompleted | DocumentFailed | DocumentPaused


class Report(NamedTuple):
    """What came of one run."""

    documents: tuple[Document, ...]
    calls: int
    """At the far end."""
    reserved: int
    """In the logs."""
    hedges: int
    """Of them, second calls beside slow ones."""
    mixed: int
    """Texts that are not one whole answer, nor the beginning of one that was cut."""
    seconds: float

    @property
    def written(self) -> list[Any]:
        return [c for d in self.documents for c in d.cells.values() if isinstance(c.state, Completed)]

    @property
    def asked(self) -> int:
        """Sections."""
        return SECTIONS * len(self.documents)

    @property
    def complete(self) -> float:
        """The share of sections that are written."""
        return len(self.written) / self.asked

    @property
    def cut(self) -> int:
        """Of them, those that say that they end early."""
        return sum(cell.completed.cut is not None for cell in self.written)

    @property
    def calls_a_section(self) -> float:
        return self.calls / self.asked

    @property
    def late(self) -> int:
        """Documents that went on past their deadline."""
        return sum(_ended_ms(d) > d.created_at_ms + d.policy.deadline_s * 1_000 + LATE_MS for d in self.documents)

    @property
    def unfinished(self) -> int:
        """Documents in no plain terminal state."""
        return sum(not isinstance(document.run, Done | Abandoned | Paused) for document in self.documents)

    @property
    def unsettled(self) -> int:
        """Calls that are still open in a log."""
        return sum(len(document.open_calls) for document in self.documents)

    @property
    def document_s(self) -> float:
        """Median."""
        return statistics.median(_ended_ms(d) - d.created_at_ms for d in self.documents) / 1_000


LATE_MS = 1_000
"""What the conductor may take to notice a deadline."""


async def play(system: System, documents: int, faults: float, deadline_s: int = 120) -> Report:
    """Write so many documents of SECTIONS sections, all at the same time."""
    async with (
        httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=60) as gateway,
        httpx2.AsyncClient(base_url=system.simulator, trust_env=False, timeout=60) as far,
    ):
        await _turn(far, faults=0)
        (reference,) = (await _written(system, gateway, 1, deadline_s)).values()
        await _turn(far, faults=faults)
        began = asyncio.get_running_loop().time()
        logs = await _written(system, gateway, documents, deadline_s)
        seconds = asyncio.get_running_loop().time() - began
        calls = [call for call in (await far.get("/record")).json() if call["document"] in logs]
    folded = {id_: _folded(id_, log) for id_, log in logs.items()}
    (whole,) = (_folded("reference", reference),)
    return Report(
        documents=tuple(folded.values()),
        calls=len(calls),
        reserved=sum(isinstance(fact, AttemptStarted | CallReserved) for log in logs.values() for _, fact in log),
        hedges=sum(isinstance(fact, CallReserved) for log in logs.values() for _, fact in log),
        mixed=sum(_is_mixed(document, whole) for document in folded.values()),
        seconds=seconds,
    )


async def _turn(far: httpx2.AsyncClient, **dials: Any) -> None:
    turned = {"model": "*", "dials": {**PACE, **dials}}
    (await far.put("/dials", json=turned)).raise_for_status()


Log = list[tuple[int, AnyFact]]


async def _written(system: System, gateway: httpx2.AsyncClient, number: int, deadline_s: int) -> dict[str, Log]:
    """Create documents, wait for the end of each, and read their logs."""
    over: set[str] = set()
    moved = asyncio.Event()

    async def heard(message: Any) -> None:
        if isinstance(decode_fact(message.data), ENDS):
            over.add(subjects.document_of(message.subject))
        moved.set()

    places = asyncio.Semaphore(CREATED_AT_ONCE)

    async def one() -> str:
        async with places:
            made = await create(
                gateway,
                brief="How books were copied.",
                title="Scriptoria",
                sources=[{"name": "Scriptoria", "text": SOURCE}],
                outline=sections(SECTIONS, summary=False),
                policy={"on_last_viewer_left": "continue", "deadline_s": deadline_s, "cache": "off"},
            )
            return made["id"]

    async with system.bus() as bus:
        await bus.client.subscribe(subjects.live_facts(), cb=heard, pending_msgs_limit=-1, pending_bytes_limit=-1)
        ids = await asyncio.gather(*(one() for _ in range(number)))
        async with asyncio.timeout(2 * deadline_s):
            while not over.issuperset(ids):
                moved.clear()
                await moved.wait()
            while True:
                moved.clear()
                logs = {id_: [(s.sequence, decode_fact(s.data)) async for s in _log(bus, id_)] for id_ in ids}
                if not any(_folded(id_, log).open_calls for id_, log in logs.items()):
                    return logs
                await moved.wait()  # The loser of a race may be settled a moment after its document is done.


def _log(bus: Any, id_: str) -> Any:
    return read(bus.client, subjects.FACTS, subjects.facts_stored(id_))


def _folded(id_: str, log: Log) -> Document:
    (first, fact), *others = log
    document = created(id_, fact, first)
    for sequence, other in others:
        document = fold(document, other, sequence)
    return document


def _is_mixed(document: Document, reference: Document) -> bool:
    for id_, cell in document.cells.items():
        wanted = reference.cells[id_].completed
        assert wanted is not None
        if cell.completed is None:
            continue
        text = cell.completed.text
        if text != wanted.text and not (cell.completed.cut is not None and _goes_round(text, wanted.text)):
            return True
    return False


def _goes_round(text: str, whole: str) -> bool:
    """Whether it is the beginning of the answer, the end of which is said again and again."""
    tail = text[-REPEATED_CHARACTERS_MIN:]
    period = next((p for p in range(1, len(tail)) if tail[p:] == tail[:-p]), None)
    if period is None:
        return False
    start = len(text) - len(tail)
    while start > 0 and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return whole.startswith(text[: start + period])


def _ended_ms(document: Document) -> int:
    match document.run:
        case Done(at_ms=at_ms) | Abandoned(at_ms=at_ms) | Paused(at_ms=at_ms):
            return at_ms
        case _:
            return 2**62
