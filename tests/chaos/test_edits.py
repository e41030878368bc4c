"""Two people edit while writers are killed: nothing of either is lost, and what stands in the end is as if written from nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from schemas.cells import text_digest
from schemas.document import Document
from tests.readers import Reader
from tests.system import System, create, running

EDITS = 8
SENTENCES = [
    f"{what} was {how} in the scriptorium, {when}."
    for what in ("Vellum", "Ink", "Gold leaf", "A quill", "The exemplar")
    for how, when in (("kept", "under lock"), ("made", "in winter"), ("counted", "every year"), ("sold", "at the fair"))
]


def _sources(rng: random.Random) -> list[dict[str, str]]:
    return [{"name": f"{n}.md", "text": "\n\n".join(rng.sample(SENTENCES, 12))} for n in range(3)]


def _outline(rng: random.Random) -> list[dict[str, Any]]:
    ids = [f"c{n}" for n in range(6)]
    return [
        {
            "id": id_,
            "heading": rng.choice(["Vellum", "Ink", "Gold", "Quills"]),
            "instructions": f"Say {rng.choice(['how', 'when', 'where'])}.",
            "depends_on": [parent for parent in ids[:n] if rng.random() < 0.3],
            "columns": [{"id": "q", "heading": "When"}] if n == 1 else [],
        }
        for n, id_ in enumerate(ids)
    ]


async def _edit(reader: Reader, rng: random.Random, name: str) -> None:
    section = f"/sections/c{rng.randint(0, 5)}"
    match rng.choice(["instructions", "heading", "source", "hand", "rewrite"]):
        case "instructions":
            await reader.edit("PATCH", section, {"instructions": f"Say {rng.choice(SENTENCES)}"})
        case "heading":
            await reader.edit("PATCH", section, {"heading": rng.choice(["Vellum", "Ink", "Fair", "Winter"])})
        case "source":
            text = "\n\n".join(rng.sample(SENTENCES, 12))
            await reader.edit("PUT", f"/sources/s{rng.randint(1, 3)}", {"name": f"{name}.md", "text": text})
        case "hand":
            await reader.edit("PUT", "/cells/c5", {"text": f"By {name}."})
        case _:
            await reader.edit("POST", f"/cells/c{rng.choice([0, 2, 3])}/rewrite")


async def _append_to_brief(reader: Reader, word: str) -> None:
    """Read, change, write back; again where somebody was first."""
    document = await reader.until(lambda _: True)
    brief, version = document.brief, document.version
    while True:
        answer = await reader.send(
            "PATCH", body={"brief": f"{brief} {word}"}, **{"If-Match": f'"{version}"', "Scriptorium-Who": word}
        )
        if answer.status_code == 200:
            return
        assert answer.status_code == 412, answer.text
        brief, version = answer.json()["current"]["brief"], answer.json()["version"]


def _texts(document: Document) -> dict[str, str]:
    return {id_: cell.completed.text for id_, cell in document.cells.items() if cell.completed is not None}


async def _anew(client: httpx2.AsyncClient, system: System, edited: Document, texts: dict[str, str]) -> Document:
    """The same inputs, in a document of which nothing is written yet."""
    sources = [{"name": source.given.name, "text": texts[source.given.digest]} for source in edited.sources.values()]
    outline = [
        {
            "id": section.id,
            "heading": section.heading,
            "instructions": section.instructions,
            "depends_on": list(section.depends_on),
            "columns": [{"id": column.id, "heading": column.heading} for column in section.columns],
        }
        for section in edited.outline
    ]
    body = {"brief": edited.brief, "sources": sources, "outline": {"sections": outline}, "policy": {"cache": "off"}}
    async with Reader(client, system.simulator, await create(client, **body)) as reader:
        await reader.settled()
        for cell in edited.cells.values():
            if cell.locked and cell.completed is not None:
                await reader.edit("PUT", f"/cells/{cell.id}", {"text": cell.completed.text})
        last = await reader.edit("PATCH", body={"title": "Over"})
        return await reader.settled(last["sequence"])


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("up"), "--writers", "3") as system:
        yield system


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_people_edit_while_writers_are_killed(system: System, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 -- a schedule, not a secret
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=60) as client:
        dials = {"pace": "fixed", "first_token_ms": 60, "token_interval_ms": 2}
        await client.put(f"{system.simulator}/dials", json={"dials": dials})
        sources = _sources(rng)
        made = await create(client, brief="B", sources=sources, outline={"sections": _outline(rng)})
        kept: dict[str, str] = {}
        async with Reader(client, system.simulator, made) as ada, Reader(client, system.simulator, made) as bob:
            for reader in (ada, bob):
                reader.sent = kept
            for number in range(EDITS):
                await asyncio.gather(
                    _edit(ada, rng, "ada"),
                    _edit(bob, rng, "bob"),
                    _append_to_brief(ada, f"ada{number}"),
                    _append_to_brief(bob, f"bob{number}"),
                )
                if number % 3 == 1:
                    system.kill("writer", rng.randrange(2))
            last = await ada.edit("PATCH", body={"title": f"Edited {seed}"})
            edited = await ada.settled(last["sequence"])
            assert sorted(edited.brief.split()[1:]) == sorted(
                f"{who}{n}" for who in ("ada", "bob") for n in range(EDITS)
            )
            texts = kept | {text_digest(source["text"]): source["text"] for source in sources}
        anew = await _anew(client, system, edited, texts)
        assert {id_: text for id_, text in _texts(edited).items() if not edited.cells[id_].locked} == {
            id_: text for id_, text in _texts(anew).items() if not edited.cells[id_].locked
        }
