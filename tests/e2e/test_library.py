"""The library over the whole system: whose documents there are, and that a deleted one is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.system import System, Viewer, create, running, sections
from tests.terminal import Terminal

ADA, BOB = {"Scriptorium-Owner": "a" * 43}, {"Scriptorium-Owner": "b" * 43}
WORDS = "xylographic palimpsest"
TEXT = f"The {WORDS} was kept by scribes. Every scribe copied one part of the {WORDS} at a time. " * 20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def house(data: Path, watched: Path) -> Iterator[System]:
    with running(data, "--writers", "1", "--watch", f"notes={watched}") as started:
        yield started


@pytest.fixture
async def client(house: System) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=house.gateway, trust_env=False, timeout=30) as http:
        yield http


async def _made(client: httpx2.AsyncClient, owner: dict[str, str], **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/documents", json={"brief": "B", **body}, headers=owner)
    assert answer.status_code == 201, answer.text
    client.cookies.clear()
    return answer.json()


async def _followed(client: httpx2.AsyncClient, made: dict[str, Any]) -> None:
    """The document follows something with these words in its name, and somebody has looked."""
    path, key = f"/api/documents/{made['id']}/watches", {"Authorization": f"Bearer {made['key']}"}
    answer = await client.post(path, json={"folder": "notes", "glob": f"{WORDS}.md"}, headers=key)
    assert answer.status_code == 201, answer.text
    async with asyncio.timeout(20):
        while True:
            if (await client.get(path)).json()["watches"][0]["looked_at_ms"]:
                return
            await asyncio.sleep(0.05)


async def _listed(client: httpx2.AsyncClient, owner: dict[str, str], until: int, **query: Any) -> list[dict[str, Any]]:
    """The library, once it shows so many."""
    async with asyncio.timeout(20):
        while True:
            found = (await client.get("/api/documents", headers=owner, params=query)).json()["documents"]
            if len(found) >= until:
                return found
            await asyncio.sleep(0.05)


async def test_a_library_shows_its_owner_s_documents_and_nobody_else_s(client: httpx2.AsyncClient) -> None:
    outline = sections(1, summary=False)
    first = await _made(client, ADA, title="On vellum", brief="How skins were prepared", outline=outline)
    second = await _made(client, ADA, title="On ink", brief="Oak galls", outline=outline)
    await _made(client, BOB, title="On vellum, too", outline=outline)
    listed = await _listed(client, ADA, 2)
    assert {card["id"] for card in listed} == {first["id"], second["id"]}
    assert [card["title"] for card in await _listed(client, BOB, 1)] == ["On vellum, too"]
    assert [card["id"] for card in await _listed(client, ADA, 1, q="VELLUM skins")] == [first["id"]]
    assert (await client.get("/api/documents")).json()["documents"] == []

    page = (await client.get("/api/documents", headers=ADA, params={"limit": 1})).json()
    rest = (await client.get("/api/documents", headers=ADA, params={"limit": 1, "after": page["next"]})).json()
    assert {page["documents"][0]["id"], rest["documents"][0]["id"]} == {first["id"], second["id"]}
    for query, header in (({"limit": "none"}, ADA), ({}, {"Scriptorium-Owner": "short"})):
        assert (await client.get("/api/documents", params=query, headers=header)).status_code in {400, 422}


async def test_a_page_s_owner_is_a_cookie_that_came_with_its_first_document(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/documents", json={"brief": "B", "outline": sections(1, summary=False)})
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith("scriptorium-owner="))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert [card["id"] for card in await _listed(client, {}, 1)] == [answer.json()["id"]]
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await client.get("/api/documents", headers=foreign)).status_code == 403


async def test_a_deleted_document_leaves_nothing(client: httpx2.AsyncClient, house: System, data: Path) -> None:
    made = await create(
        client,
        brief=f"About the {WORDS}",
        title=WORDS,
        sources=[{"name": WORDS, "text": TEXT}],
        outline=sections(4),
    )
    viewer = Viewer(client, made["id"])
    async with asyncio.timeout(60):
        await viewer.until("CellCompleted")
    told = asyncio.create_task(Viewer(client, made["id"]).until("DocumentDeleted"))
    path = f"/api/documents/{made['id']}"
    await _followed(client, made)
    anonymous = httpx2.AsyncClient(base_url=house.gateway, trust_env=False, timeout=30)
    async with anonymous:
        assert (await anonymous.delete(path)).status_code == 401
    answer = await client.delete(path, headers={"Authorization": f"Bearer {made['key']}"})
    assert answer.status_code == 204, answer.text
    async with asyncio.timeout(10):
        assert WORDS not in await told
    for gone in (path, f"{path}/events", f"{path}/sources/s1/passages"):
        assert (await client.get(gone)).status_code == 404
    again = await client.delete(path, headers={"Authorization": f"Bearer {made['key']}"})
    assert again.status_code == 404
    assert _on_disk(data / "nats", WORDS.encode()) == []


def _on_disk(folder: Path, words: bytes) -> list[str]:
    return [
        str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file() and words in file.read_bytes()
    ]


async def test_a_copy_has_sources_of_its_own(client: httpx2.AsyncClient) -> None:
    source = {"name": "a.md", "text": "# A\n\nScribes copied books."}
    made = await _made(client, ADA, title="Original", sources=[source], outline=sections(1, summary=False))
    copied = await client.post(f"/api/documents/{made['id']}/duplicate", json={"title": "Copy"}, headers=ADA)
    assert copied.status_code == 201
    key = {"Authorization": f"Bearer {made['key']}"}
    assert (await client.delete(f"/api/documents/{made['id']}", headers=key)).status_code == 204
    viewer = Viewer(client, copied.json()["id"])
    async with asyncio.timeout(60):
        await viewer.until("DocumentCompleted")
    assert viewer.document is not None
    assert viewer.document.title == "Copy"
    assert viewer.document.sources["s1"].failure is None


async def test_a_template_is_kept_and_used(client: httpx2.AsyncClient) -> None:
    offered = (await client.get("/api/templates", headers=BOB)).json()["templates"]
    assert {one["id"] for one in offered} == {"literature-table", "decision-memo", "system-design"}
    saved = await client.post("/api/templates", json={"name": "Mine", "outline": "## One\n\n## Two\n"}, headers=BOB)
    assert saved.status_code == 201
    id_ = saved.json()["id"]
    made = await _made(client, BOB, template=id_)
    shown = (await client.get(f"/api/documents/{made['id']}")).json()
    assert [section["heading"] for section in shown["outline"]] == ["One", "Two"]
    refused = await client.post("/api/documents", json={"brief": "B", "template": id_}, headers=ADA)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/template")
    assert (await client.delete(f"/api/templates/{id_}", headers=ADA)).status_code == 404
    assert (await client.delete(f"/api/templates/{id_}", headers=BOB)).status_code == 204
    table = await _made(client, BOB, template="literature-table")
    shown = (await client.get(f"/api/documents/{table['id']}")).json()
    assert [column["id"] for column in shown["outline"][0]["columns"]][:2] == ["question", "method"]


def test_a_folder_is_followed_and_let_go_from_the_terminal(house: System, watched: Path, tmp_path: Path) -> None:
    ada = Terminal(tmp_path, house.gateway)
    (tmp_path / "outline.md").write_text("## What they say {#notes}\n", encoding="utf-8")
    at = ("--gateway", house.gateway)
    ada.run("write", "B", "--outline", "outline.md", *at)
    found = ada.json("watches", "last", "--folder", "notes", "--glob", "followed-*.md")
    assert found["folders"] == ["notes"]
    assert found["watches"][0]["what"] == {"type": "FolderWatched", "folder": "notes", "glob": "followed-*.md"}
    (watched / "followed-1.md").write_text("# A note\n\nScribes copied books.\n", encoding="utf-8")
    document = ada.json("show", "last")["id"]
    deadline = time.monotonic() + 60
    while not ada.now(document)["sources"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    told, _ = ada.run("watches", "last")
    assert "followed-*.md" in told
    assert "/api/hooks/" in told
    assert ada.json("watches", "last", "--end", found["watches"][0]["id"][:8])["watches"] == []
    assert list(ada.now(document)["sources"]) == ["s1"]
    ada.run("delete", "last", "--yes")
