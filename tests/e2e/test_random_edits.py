"""Random graphs, random edits, real services, a model that counts: what is asked is what changed, once, and nothing else.

Each seed is a document of its own; all are edited at the same time. First every edit is waited for, and its calls are counted exactly;
then edits come while others are being written. In the end each document is as one that is written from nothing with the same inputs.
A seed makes the same edits each time: a failure names it, and what had been done.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from schemas.attempts import job_of
from schemas.cells import text_digest, wanted_cells
from schemas.document import Cell, Document
from schemas.events import CellCompleted, CellQueued, CellsQueued
from schemas.standing import standings
from schemas.values import Section
from tests.readers import Reader
from tests.system import System, create, running

LIMITS = httpx2.Limits(max_connections=None, keepalive_expiry=1.0)
"""No connection is used again at the moment at which the gateway closes it for being idle."""
Request = tuple[str, str, Any]
"""(method, path, body)"""

SEEDS = tuple(range(1, 9))
EDITS = 10
LOCAL_SHARE = 0.7
BURSTS, EDITS_AT_ONCE = 2, 4
CONFIG = """
[health]
hedge_share = 0
[simulator.dials.default]
pace = "fixed"
first_token_ms = 20
token_interval_ms = 0
"""
SENTENCES = [
    f"{what} was {how} in the scriptorium, {when}."
    for what in ("Vellum", "Ink", "Gold leaf", "A quill", "The exemplar")
    for how, when in (
        ("kept", "under 3 locks"),
        ("made", "in winter"),
        ("counted", "12 times a year"),
        ("sold", "at fairs"),
    )
]
HEADINGS = ("Vellum", "Ink", "Gold", "Quills")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("random")
    (folder / "scriptorium.toml").write_text(CONFIG, encoding="utf-8")
    with running(folder / "data", "--writers", "3", "--config", str(folder / "scriptorium.toml")) as started:
        yield started


class Author:
    """Somebody who edits one document at random, and knows what each edit should cost."""

    def __init__(self, system: System, client: httpx2.AsyncClient, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 -- a schedule, not a secret
        self.system, self.client = system, client
        self.done: list[str] = []
        self.names = 0
        self.texts: dict[str, str] = {}
        """Of sources, by their digests."""
        self.keeps_ids = True
        """No source was ever taken away: one that is written from nothing gives its sources the same ids."""
        self.known: set[str] = set()
        """Input digests of which there is an answer."""
        self.paid: Counter[str] = Counter()
        self.moments: list[int] = []

    async def live(self) -> None:
        """All that is to be shown."""
        sources = [self._given(id_) for id_ in ("s1", "s2")]
        sections: list[dict[str, Any]] = []
        for number in range(4):
            sections.append(self._section([one["id"] for one in sections], is_table=number == 1))
        made = await create(self.client, brief="B", sources=sources, outline={"sections": sections})
        async with Reader(self.client, self.system.simulator, made) as reader:
            await self._asks_for_exactly_what_changed(reader, await reader.settled())
            for _ in range(EDITS):
                answer = await self._edit(reader, await reader.until(lambda _: True))
                await self._asks_for_exactly_what_changed(reader, await reader.settled(answer["sequence"]))
            for _ in range(BURSTS):
                at = 0
                document = await reader.settled()
                await self._is_as_if_written_from_nothing(document)
                for _ in range(EDITS_AT_ONCE):
                    document = await reader.until(lambda now, at=at: now.sequence >= at)
                    at = int((await self._edit(reader, document, is_settled=False))["sequence"])
                await reader.settled(at)
            await self._nothing_was_answered_twice(reader)
            await self._is_as_if_written_from_nothing(await reader.settled())

    # -- What must hold -------------------------------------------------------------------------------------------------

    async def _asks_for_exactly_what_changed(self, reader: Reader, document: Document) -> None:
        found = standings(document)
        wanted = {one.digest for one in found.values() if not one.cell.locked}
        wanted |= {one.cell.offer.input_digest for one in found.values() if one.cell.offer is not None}
        calls = await reader.calls()
        asked = Counter(document.cells[id_].input_digest for id_ in (calls - self.paid).elements())
        assert asked == Counter(wanted - self.known)
        for cell in document.cells.values():
            self.known |= {
                one.input_digest for one in (cell.completed, cell.offer) if one is not None and not one.by_hand
            }
        self.paid = calls
        self.moments.append(document.sequence)

    async def _nothing_was_answered_twice(self, reader: Reader) -> None:
        """Whatever was cut off because its inputs changed meanwhile may be asked again; what was answered is found."""
        digests: dict[tuple[str, int], str] = {}
        answered: Counter[str] = Counter()
        for fact in await self.system.facts(reader.id):
            match fact:
                case CellQueued() | CellsQueued():
                    queued = fact.cells if isinstance(fact, CellsQueued) else (fact,)
                    digests |= {(one.cell, one.job): one.input_digest for one in queued}
                case CellCompleted(cached=False):
                    answered[digests[fact.cell, job_of(fact.attempt)]] += 1
                case _:
                    pass
        assert max(answered.values()) == 1
        record = (await self.client.get(f"{self.system.simulator}/record", params={"document": reader.id})).json()
        assert max(Counter((call["cell"], call["attempt"]) for call in record).values()) == 1

    async def _is_as_if_written_from_nothing(self, edited: Document) -> None:
        """The same inputs, of which nothing is written yet; what is locked gets its text by hand."""
        sources = [
            {"name": source.given.name, "text": self.texts[source.given.digest]} for source in edited.sources.values()
        ]
        outline = [_as_asked(section) for section in edited.outline]
        body = {"brief": edited.brief, "outline": {"sections": outline}, "policy": {"cache": "off"}}
        made = await create(self.client, sources=sources, **body)
        async with Reader(self.client, self.system.simulator, made) as reader:
            document = await reader.settled()
            for id_ in wanted_cells(edited.outline, edited.sources):
                cell = edited.cells[id_]
                if cell.locked and cell.completed is not None:
                    answer = await reader.edit("PUT", f"/cells/{id_}", {"text": cell.completed.text})
                    document = await reader.settled(answer["sequence"])
        assert _unlocked(edited) == _unlocked(document)

    # -- What is edited -------------------------------------------------------------------------------------------------

    async def _edit(self, reader: Reader, document: Document, *, is_settled: bool = True) -> dict[str, Any]:
        """One edit, of any kind that can be made."""
        # Most edits are of one section or cell: those that rewrite everything hide what was forgotten before.
        if self.rng.random() < LOCAL_SHARE:
            kinds = {**self._of_the_outline(document), **self._of_cells(document)}
        else:
            kinds = self._of_sources(document)
            for field in ("brief", "title"):
                kinds[field] = lambda field=field: ("PATCH", "", {field: f"{field} {self.rng.randint(0, 2)}"})
            if is_settled:  # Of an earlier moment, what was written then is known.
                kinds["restore"] = lambda: ("POST", "/restore", {"to": self.rng.choice(self.moments)})
        kind = self.rng.choice(sorted(kinds))
        method, path, body = kinds[kind]()
        # A moment may have had other sources.
        self.keeps_ids &= kind not in {"remove source", "restore"}
        self.done.append(f"{method} {path} {body}")
        return await reader.edit(method, path, body)

    def _of_the_outline(self, document: Document) -> dict[str, Callable[[], Request]]:
        rng, outline = self.rng, document.outline
        section = rng.choice(outline)
        path = f"/sections/{section.id}"
        kinds: dict[str, Callable[[], Request]] = {
            "instructions": lambda: ("PATCH", path, {"instructions": f"Say {rng.choice(SENTENCES)}"}),
            "heading": lambda: ("PATCH", path, {"heading": rng.choice(HEADINGS)}),
            "depends on": lambda: ("PATCH", path, {"depends_on": self._needs(outline, section.id)}),
            "reorder": lambda: (
                "PUT",
                "/outline",
                {"sections": list(map(_as_asked, rng.sample(outline, len(outline))))},
            ),
            "add section": lambda: ("POST", "/sections", {"section": self._added(outline)}),
        }
        if len(outline) > 2:
            kinds["remove section"] = lambda: ("DELETE", path, None)
        if section.columns:
            kinds["column"] = lambda: ("PUT", f"{path}/columns/q{rng.randint(0, 2)}", self._column(document))
        if len(section.columns) > 1:
            kinds["remove column"] = lambda: ("DELETE", f"{path}/columns/{section.columns[0].id}", None)
        return kinds

    def _of_cells(self, document: Document) -> dict[str, Callable[[], Request]]:
        rng = self.rng
        id_ = rng.choice(sorted(wanted_cells(document.outline, document.sources)))
        path, cell = f"/cells/{id_}", document.cells.get(id_, Cell(id=id_))
        kinds: dict[str, Callable[[], Request]] = {"rewrite": lambda: ("POST", f"{path}/rewrite", {})}
        if cell.completed is not None:
            kinds["by hand"] = lambda: ("PUT", path, {"text": f"By hand, {rng.randint(1, 3)}."})
            kinds["lock"] = lambda: ("POST", f"{path}/lock", {})
        if cell.locked:
            kinds["unlock"] = lambda: ("POST", f"{path}/unlock", {})
        return kinds

    def _of_sources(self, document: Document) -> dict[str, Callable[[], Request]]:
        sources = sorted(document.sources)
        kinds: dict[str, Callable[[], Request]] = {
            "replace source": lambda: ("PUT", f"/sources/{(id_ := self.rng.choice(sources))}", self._given(id_))
        }
        if self.keeps_ids and len(sources) < 4:
            kinds["add source"] = lambda: ("POST", "/sources", self._given(f"s{len(sources) + 1}"))
        if len(sources) > 1:
            kinds["remove source"] = lambda: ("DELETE", f"/sources/{sources[-1]}", None)
        return kinds

    def _given(self, id_: str) -> dict[str, str]:
        text = "\n\n".join(self.rng.sample(SENTENCES, 6))
        self.texts[text_digest(text)] = text
        return {"name": id_, "text": text}

    def _column(self, document: Document) -> dict[str, Any]:
        sample = self.rng.sample(sorted(document.sources), 1) if self.rng.random() < 0.5 else []
        format_ = self.rng.choice(["text", "number", "yes_no"])
        return {"heading": self.rng.choice(HEADINGS), "format": format_, "sample": sample}

    def _added(self, outline: tuple[Section, ...]) -> dict[str, Any]:
        return self._section([one.id for one in outline], is_table=self.rng.random() < 0.3)

    def _needs(self, outline: tuple[Section, ...], id_: str) -> list[str]:
        """Sections, and columns of them, whose ids are smaller: nothing goes in circles."""
        before = [one for one in outline if one.id < id_]
        needs = [need for one in before for need in (one.id, *(f"{one.id}:{column.id}" for column in one.columns))]
        return [need for need in needs if self.rng.random() < 0.4]

    def _section(self, before: list[str], *, is_table: bool) -> dict[str, Any]:
        self.names += 1
        columns = [{"id": f"q{n}", "heading": self.rng.choice(HEADINGS), "format": "number"} for n in range(2)]
        return {
            "id": f"c{self.names:02}",
            "heading": self.rng.choice(HEADINGS),
            "instructions": f"Say {self.rng.choice(('how', 'when', 'where'))}.",
            "depends_on": [id_ for id_ in before if self.rng.random() < 0.3],
            "columns": columns if is_table else [],
        }


def _as_asked(section: Section) -> dict[str, Any]:
    columns = [
        {"id": one.id, "heading": one.heading, "format": one.format, "sample": list(one.sample)}
        for one in section.columns
    ]
    return {
        "id": section.id,
        "heading": section.heading,
        "instructions": section.instructions,
        "depends_on": list(section.depends_on),
        "columns": columns,
    }


def _unlocked(document: Document) -> dict[str, str]:
    cells = (document.cells[id_] for id_ in wanted_cells(document.outline, document.sources))
    return {cell.id: cell.completed.text for cell in cells if not cell.locked and cell.completed is not None}


async def test_random_edits_ask_for_what_they_change_and_end_as_if_written_from_nothing(system: System) -> None:
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=60, limits=LIMITS) as client:
        authors = {seed: Author(system, client, seed) for seed in SEEDS}
        ends = await asyncio.gather(*(author.live() for author in authors.values()), return_exceptions=True)
    for (seed, author), end in zip(authors.items(), ends, strict=True):
        assert end is None, f"seed {seed}: {end!r}, after:\n" + "\n".join(author.done)
