"""The gateway as clients meet it: a real process, real HTTP, a real bus; the test plays conductor and writer."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import msgspec
import pytest

from schemas import subjects
from schemas.cells import text_of
from schemas.events import (
    DocumentCompleted,
)
from services.shared.log import append
from tests.integration.conftest import BusFactory
from tests.integration.gateways import write_cell
from tests.system import Viewer, create, sections

KEYED = "Bearer {}"


async def test_a_viewer_sees_a_snapshot_and_then_each_piece(client: httpx2.AsyncClient, bus: BusFactory) -> None:
    made = await create(client, brief="B", outline=sections(1, summary=False))
    viewer = Viewer(client, made["id"])
    writer = await bus("operator")
    seen: list[str] = []
    async with asyncio.timeout(20):
        async for type_, _ in viewer.events():
            seen.append(type_)
            if type_ == "snapshot":
                await write_cell(writer, made["id"], "part-1", "Über 😀 scribes")
            if {"TextAppended", "CellCompleted"} <= {*seen}:  # Facts and ink come in an order of their own.
                break
    assert seen[0] == "snapshot"
    assert viewer.document is not None
    assert text_of(viewer.document.cells, "part-1") == "Über 😀 scribes"


async def test_viewers_that_drop_at_every_event_end_like_one_that_never_left(
    client: httpx2.AsyncClient, bus: BusFactory
) -> None:
    made = await create(client, brief="B", outline=sections(3, summary=False))
    writer = await bus("operator")
    steady, dropping = Viewer(client, made["id"]), Viewer(client, made["id"])

    async def drop() -> None:
        while True:
            async for type_, _ in dropping.events():
                if type_ == "DocumentCompleted" or dropping.over:
                    return
                if type_ not in {"snapshot", "CaughtUp"}:
                    break

    async def write() -> None:
        for number in (1, 2, 3):
            await write_cell(writer, made["id"], f"part-{number}", f"Text of part {number}. " * 4)
        await append(writer, made["id"], DocumentCompleted(at_ms=9, cells_completed=3, cells_failed=0))

    async with asyncio.timeout(60):
        await asyncio.gather(steady.until("DocumentCompleted"), drop(), write())
    assert steady.document == dropping.document


async def test_a_lease_comes_with_the_first_viewer_and_goes_with_the_last(
    client: httpx2.AsyncClient, bus: BusFactory
) -> None:
    operator = await bus("operator")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Any) -> None:
        await heard.put(message.data)

    made = await create(client, brief="B", outline=sections(1, summary=False))
    await operator.client.subscribe(subjects.live_viewers(made["id"]), cb=hear)
    await operator.client.flush()
    first, second = Viewer(client, made["id"]), Viewer(client, made["id"])
    async with asyncio.timeout(20):
        async for _ in first.events():
            assert await heard.get()
            await second.until("snapshot")
            break
        while await heard.get():  # Renewals, until the last one has gone.
            pass


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, None),
        (b"{}", 422, "/brief"),
        (b'{"brief":"  "}', 422, "/brief"),
        (b'{"brief":"b","nope":1}', 422, "/nope"),
        (b'{"brief":"b","sources":[{"name":"n"}]}', 422, "/sources/0"),
        (b'{"brief":"b","sources":[{"upload":"' + b"0" * 32 + b'"}]}', 422, "/sources/0/upload"),
        (b'{"brief":"b","policy":{"grace_ms":-1}}', 422, "/policy/grace_ms"),
        (
            b'{"brief":"b","outline":{"sections":[{"id":"a","heading":"A","depends_on":["b"]}]}}',
            422,
            "/outline/sections/0/depends_on/0",
        ),
    ],
)
async def test_bad_input_is_a_problem_that_names_the_field(
    client: httpx2.AsyncClient, body: bytes, status: int, pointer: str | None
) -> None:
    response = await client.post("/api/documents", content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(response.content, type=dict[str, Any])
    assert problem["status"] == status
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer


async def test_only_the_key_changes_a_document(client: httpx2.AsyncClient) -> None:
    made = await create(client, brief="B")
    other = await create(client, brief="B")
    client.cookies.clear()
    stop = f"/api/documents/{made['id']}/stop"
    assert (await client.post(stop)).status_code == 401
    assert (await client.post(stop, headers={"Authorization": f"Bearer {other['key']}"})).status_code == 403
    assert (await client.post(stop, headers={"Authorization": f"Bearer {made['key']}"})).status_code == 202
    assert (await client.post(stop, headers={"Cookie": f"scriptorium-key={made['key']}"})).status_code == 202
    foreign = {"Cookie": f"scriptorium-key={made['key']}", "Sec-Fetch-Site": "cross-site"}
    assert (await client.post(stop, headers=foreign)).status_code == 403
    assert made["key"] not in (await client.get(f"/api/documents/{made['id']}")).text


async def test_a_cell_is_stopped_by_whoever_has_the_key_where_there_is_such_a_cell(client: httpx2.AsyncClient) -> None:
    made = await create(client, brief="B", outline={"sections": [{"id": "a", "heading": "A"}]})
    client.cookies.clear()
    cells, key = f"/api/documents/{made['id']}/cells", {"Authorization": f"Bearer {made['key']}"}
    assert (await client.post(f"{cells}/a/stop")).status_code == 401
    assert (await client.post(f"{cells}/a/stop", headers={"Authorization": "Bearer other"})).status_code == 403
    assert (await client.post(f"{cells}/a/stop", headers=key)).status_code == 202
    link = (await client.post(f"/api/documents/{made['id']}/keys", headers=key)).json()["key"]
    assert (await client.post(f"{cells}/a/stop", headers={"Authorization": f"Bearer {link}"})).status_code == 202
    assert (await client.post(f"{cells}/nowhere/stop", headers=key)).status_code == 404
    assert (await client.post(f"/api/documents/{'0' * 32}/cells/a/stop", headers=key)).status_code == 404
    outline = await client.post(f"{cells}/outline/stop", headers=key)
    assert outline.status_code == 409
    assert outline.headers["content-type"] == "application/problem+json"
    assert "Stop the document" in outline.json()["detail"]


async def test_no_id_no_document(client: httpx2.AsyncClient) -> None:
    for path in ("0" * 32, "nonsense", "0" * 32 + "/events"):
        response = await client.get(f"/api/documents/{path}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


async def test_an_idempotency_key_makes_one_document(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/api/documents", content=b'{"brief":"b"}', headers=headers)
    again = await client.post("/api/documents", content=b'{"brief":"b"}', headers=headers)
    other = await client.post("/api/documents", content=b'{"brief":"c"}', headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert other.status_code == 422


async def test_prefer_wait_answers_with_the_finished_document(client: httpx2.AsyncClient, bus: BusFactory) -> None:
    writer = await bus("operator")
    body = msgspec.json.encode({"brief": "b", "outline": sections(1, summary=False)})
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: Any) -> None:
        await heard.put(subjects.document_of(message.subject))

    await writer.client.subscribe(subjects.live_facts(), cb=hear)
    await writer.client.flush()
    headers = {"Prefer": "wait=20", "Accept": "text/markdown"}
    asking = asyncio.create_task(client.post("/api/documents", content=body, headers=headers))
    async with asyncio.timeout(20):
        id_ = await heard.get()
        await write_cell(writer, id_, "part-1", "Done in time.")
        await append(writer, id_, DocumentCompleted(at_ms=9, cells_completed=1, cells_failed=0))
        response = await asking
    assert response.status_code == 201
    assert "Done in time." in response.text
    assert response.headers["preference-applied"] == "wait=20"


async def test_a_wait_that_runs_out_answers_as_without_it(client: httpx2.AsyncClient) -> None:
    body = msgspec.json.encode({"brief": "b", "outline": sections(1, summary=False)})
    response = await client.post("/api/documents", content=body, headers={"Prefer": "respond-async, wait=0"})
    assert response.status_code == 201, "it has been made, and is being written: that is what was asked for"
    assert "preference-applied" not in response.headers
    made = response.json()
    assert response.headers["location"] == f"/api/documents/{made['id']}"
    assert set(made) >= {"id", "key", "url", "events"}
    assert (await client.get(response.headers["location"])).json()["run"]["type"] == "Running"


async def test_an_upload_becomes_a_source(client: httpx2.AsyncClient) -> None:
    upload = (await client.post("/api/uploads?name=notes.md", content=b"# Notes")).json()["upload"]
    made = await create(client, brief="B", sources=[{"upload": upload}])
    source = (await client.get(f"/api/documents/{made['id']}")).json()["sources"]["s1"]
    assert (source["given"]["name"], source["given"]["size_bytes"]) == ("notes.md", 7)


async def test_a_name_of_somebody_elses_that_leads_here_is_refused(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/api/demo", "/healthz"):
        refused = await client.get(path, headers={"Host": "attacker.example"})
        assert refused.status_code == 421
        assert refused.headers["content-type"] == "application/problem+json"
        assert "content-security-policy" in refused.headers


async def test_the_page_may_load_nothing_from_elsewhere(client: httpx2.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (await client.get("/../pyproject.toml")).status_code == 404
