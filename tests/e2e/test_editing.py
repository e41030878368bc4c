"""Edits of a document that real services keep up to date, and a model that counts its calls."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from schemas.document import Done
from tests.readers import Reader
from tests.system import System, create

FAST = {"pace": "fixed", "first_token_ms": 1, "token_interval_ms": 0}
SOURCES = [
    {
        "name": "ink.md",
        "text": "Ink was made from oak galls and iron. It darkened as it dried, over a day.\n\nRed lead gave rubrics their "
        "colour.\n\nA horn held the ink beside the desk.\n\nIn winter the ink froze in its horn.\n\nSoot made a cheaper ink, "
        "which could be washed off.\n\nWine or vinegar thinned it.",
    },
    {"name": "quills.md", "text": "Quills were cut from goose feathers. A quill lasted a day of writing."},
    {"name": "vellum.md", "text": "Vellum is calf skin, scraped and stretched. A bible took 170 calves."},
]
OUTLINE: list[dict[str, Any]] = [
    {"id": "ink", "heading": "Ink", "instructions": "What ink was made of."},
    {"id": "quills", "heading": "Quills", "instructions": "What quills were cut from."},
    {"id": "summary", "heading": "Summary", "instructions": "Sum up.", "depends_on": ["ink", "quills"]},
]


@pytest.fixture
async def fast(system: System, client: httpx2.AsyncClient) -> None:
    answer = await client.put(f"{system.simulator}/dials", json={"dials": FAST})
    assert answer.status_code == 200


async def new(client: httpx2.AsyncClient, system: System, **more: Any) -> Reader:
    body: dict[str, Any] = {"brief": "How books were made.", "sources": SOURCES, "outline": {"sections": OUTLINE}}
    return Reader(client, system.simulator, await create(client, **(body | more)))


@pytest.mark.usefixtures("fast")
async def test_an_edit_rewrites_what_it_changes_and_undoing_it_costs_nothing(
    system: System, client: httpx2.AsyncClient
) -> None:
    async with await new(client, system) as reader:
        before = await reader.settled()
        assert await reader.calls() == {"ink": 1, "quills": 1, "summary": 1}

        renamed = await reader.edit("PATCH", body={"title": "Books"})
        assert renamed["estimate"]["calls"] == 0
        path, body = "/sections/ink", {"instructions": "Which colour rubrics had, and where the horn stood in winter."}
        preview = await reader.edit("PATCH", f"{path}?preview=true", body)
        assert [(one["cell"], one["certain"]) for one in preview["cells"]] == [("ink", True), ("summary", False)]
        assert preview["cells"][0]["reasons"] == [{"kind": "instructions", "what": "ink"}]
        assert preview["estimate"]["calls"] == 2

        edited = await reader.edit("PATCH", path, body)
        after = await reader.settled(edited["sequence"])
        assert await reader.calls() == {"ink": 2, "quills": 1, "summary": 2}
        assert after.cells["ink"].completed != before.cells["ink"].completed
        assert after.reckoning is not None
        assert (after.reckoning.estimate.calls, after.reckoning.actual.calls) == (2, 2)

        undone = await reader.edit("POST", "/restore", {"to": edited["sequence"] - 1}, **{"Scriptorium-Cause": "undo"})
        restored = await reader.settled(undone["sequence"])
        assert await reader.calls() == {"ink": 2, "quills": 1, "summary": 2}
        assert {id_: cell.completed and cell.completed.text for id_, cell in restored.cells.items()} == {
            id_: cell.completed and cell.completed.text for id_, cell in before.cells.items()
        }
        history = (await reader.send("GET", "/history")).json()["changes"]
        assert [(one["type"], one["cause"]) for one in history] == [
            ("DocumentRestored", "undo"),
            ("SectionEdited", "reader"),
            ("DocumentEdited", "reader"),
            ("DocumentCreated", "reader"),
        ]
        assert history[1]["cells"] == ["ink", "summary"]


@pytest.mark.usefixtures("fast")
async def test_an_answer_that_comes_out_the_same_stops_the_wave(system: System, client: httpx2.AsyncClient) -> None:
    async with await new(client, system) as reader:
        before = await reader.settled()
        asked = await reader.edit("POST", "/cells/ink/rewrite")
        after = await reader.settled(asked["sequence"])
        assert after.cells["ink"].completed != before.cells["ink"].completed
        assert after.cells["summary"].completed == before.cells["summary"].completed
        assert await reader.calls() == {"ink": 2, "quills": 1, "summary": 1}


@pytest.mark.usefixtures("fast")
async def test_of_two_who_edit_at_once_the_later_is_shown_what_the_first_did(
    system: System, client: httpx2.AsyncClient
) -> None:
    async with await new(client, system) as reader:
        document = await reader.settled()
        tag = {"If-Match": f'"{document.sequence}"'}
        first, second = await asyncio.gather(
            reader.send("PATCH", "/sections/ink", {"instructions": "One."}, **tag, **{"Scriptorium-Who": "Ada"}),
            reader.send("PATCH", "/sections/ink", {"heading": "Inks"}, **tag, **{"Scriptorium-Who": "Bob"}),
        )
        assert sorted((first.status_code, second.status_code)) == [200, 412]
        won, lost = (first, second) if first.status_code == 200 else (second, first)
        problem = lost.json()
        assert problem["version"] == won.json()["version"]
        assert problem["changes"][0]["who"] in {"Ada", "Bob"}
        again = await reader.edit(
            "PATCH",
            "/sections/ink",
            {"heading": "Inks", "instructions": "One."},
            **{"If-Match": f'"{problem["version"]}"'},
        )
        after = await reader.settled(again["sequence"])
        assert (after.outline[0].heading, after.outline[0].instructions) == ("Inks", "One.")


@pytest.mark.usefixtures("fast")
async def test_a_text_by_hand_stays_and_a_rewrite_is_offered_beside_it(
    system: System, client: httpx2.AsyncClient
) -> None:
    async with await new(client, system) as reader:
        await reader.settled()
        by_hand = await reader.edit("PUT", "/cells/ink", {"text": 'By hand [[s1:1 "oak galls and iron"]].'})
        after = await reader.settled(by_hand["sequence"])
        assert await reader.calls() == {"ink": 1, "quills": 1, "summary": 2}
        completed = after.cells["ink"].completed
        assert completed is not None
        assert [citation.verified for citation in completed.citations] == [True]

        brief = await reader.edit("PATCH", body={"brief": "How books were made, and by whom."})
        after = await reader.until(lambda d: d.cells["ink"].stale and isinstance(d.run, Done))
        assert [reason.kind for reason in after.cells["ink"].stale] == ["brief"]
        assert after.cells["ink"].completed == completed
        assert await reader.calls() == {"ink": 1, "quills": 2, "summary": 3}, brief

        asked = await reader.edit("POST", "/cells/ink/rewrite")
        offered = await reader.until(lambda d: d.cells["ink"].offer is not None)
        assert offered.cells["ink"].completed == completed
        taken = await reader.edit("POST", "/cells/ink/accept")
        assert taken["sequence"] > asked["sequence"]
        after = await reader.settled(taken["sequence"])
        assert after.cells["ink"].completed is not None
        assert after.cells["ink"].completed.text == offered.cells["ink"].offer.text  # type: ignore[union-attr]
        assert not after.cells["ink"].locked


@pytest.mark.usefixtures("fast")
async def test_a_document_that_is_updated_by_hand_waits_for_it(system: System, client: httpx2.AsyncClient) -> None:
    async with await new(client, system, policy={"updates": "manual"}) as reader:
        await reader.settled()
        edited = await reader.edit(
            "PATCH", "/sections/ink", {"instructions": "Which colour rubrics had, and where the horn stood in winter."}
        )
        stale = await reader.until(lambda d: bool(d.cells["ink"].stale))
        assert isinstance(stale.run, Done)
        assert await reader.calls() == {"ink": 1, "quills": 1, "summary": 1}
        preview = await reader.edit("POST", "/update?preview=true")
        assert [one["cell"] for one in preview["cells"]] == ["ink", "summary"]
        updated = await reader.edit("POST", "/update")
        await reader.settled(updated["sequence"])
        assert await reader.calls() == {"ink": 2, "quills": 1, "summary": 2}, edited


@pytest.mark.usefixtures("fast")
async def test_replacing_a_source_of_a_table_costs_its_row_and_a_column_its_cells(
    system: System, client: httpx2.AsyncClient
) -> None:
    table = {"id": "t", "heading": "Materials", "columns": [{"id": "what", "heading": "What was it made of"}]}
    total = {"id": "total", "heading": "Total", "depends_on": ["t"]}
    async with await new(client, system, outline={"sections": [table]}) as reader:
        await reader.settled()
        assert sum((await reader.calls()).values()) == 3
        column = {"heading": "How long did it last", "sample": ["s2"]}
        tried = await reader.edit("PUT", "/sections/t/columns/long", column)
        await reader.settled(tried["sequence"])
        assert sum((await reader.calls()).values()) == 4
        filled = await reader.edit("PUT", "/sections/t/columns/long", {"heading": column["heading"]})
        await reader.settled(filled["sequence"])
        assert sum((await reader.calls()).values()) == 6
        kept = await reader.edit("PUT", "/cells/t:s1:what", {"text": "Galls."})
        summed = await reader.edit("POST", "/sections", {"section": total})
        await reader.settled(summed["sequence"])
        assert sum((await reader.calls()).values()) == 7, kept
        replaced = await reader.edit("PUT", "/sources/s1", {"name": "ink.md", "text": "Soot and gum make ink as well."})
        after = await reader.settled(replaced["sequence"])
        assert (await reader.calls())["t:s1:long"] == 2
        assert sum((await reader.calls()).values()) == 9, "the row, but for the text by hand, and the total"
        completed = after.cells["t:s1:what"].completed
        assert completed is not None
        assert completed.text == "Galls."
        then = (await reader.send("GET", f"?at={replaced['sequence'] - 1}")).json()
        assert then["sources"]["s1"]["given"]["digest"] != after.sources["s1"].given.digest
        added = await reader.edit("POST", "/sources", {"name": "gold.md", "text": "Gold leaf was laid on gesso."})
        assert added["source"] == "s4"
        await reader.settled(added["sequence"])
        assert sum((await reader.calls()).values()) == 12, "its row, and the total"
