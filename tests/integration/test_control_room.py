"""The control room's face, as programs meet it: a real `scriptorium up` in demo mode, and one that is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import msgspec
import pytest

from tests.system import System, create, running, sections

SOURCES = [{"name": "ARCHITECTURE.md", "text": (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text("utf-8")}]
PATIENCE_S = 90


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running(tmp_path_factory.mktemp("data"), "--writers", "2") as started:
        yield started


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as http:
        yield http


class Made(NamedTuple):
    """A document, the path of its control room, and the header with its key."""

    id: str
    path: str
    key: dict[str, str]


async def made(client: httpx2.AsyncClient, number: int = 2) -> Made:
    answer = await create(
        client, brief="How it works", sources=SOURCES, outline=sections(number), policy={"grace_ms": "never"}
    )
    client.cookies.clear()  # A browser would be let in by its cookie; these tests are programs.
    path = f"/api/documents/{answer['id']}/operations"
    return Made(answer["id"], path, {"Authorization": f"Bearer {answer['key']}"})


async def told(
    client: httpx2.AsyncClient, document: Made, last_id: str | None = None
) -> AsyncIterator[tuple[str, str | None, Any]]:
    """(event, id, data) of a control room's stream."""
    headers = document.key | ({"Last-Event-ID": last_id} if last_id else {})
    async with client.stream("GET", document.path, headers=headers, timeout=None) as response:
        assert response.status_code == 200
        event, id_, data = "", None, ""
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            match name:
                case "event":
                    event = value
                case "id":
                    id_ = value
                case "data":
                    data = value
                case "" if data:
                    yield event, id_, msgspec.json.decode(data)
                    event, id_, data = "", None, ""
                case _:
                    pass


async def test_it_tells_all_that_happens_to_its_document_and_nothing_of_another(client: httpx2.AsyncClient) -> None:
    mine, other = await made(client), await made(client)
    kinds: set[str] = set()
    facts: list[tuple[int, str]] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event, id_, data in told(client, mine):
            if event != "Operation":
                continue
            kinds.add(data["kind"])
            assert other.id not in str(data)
            if data["kind"] == "fact":
                assert int(id_ or 0) == data["sequence"]
                facts.append((data["sequence"], data["event"]["type"]))
                if facts[-1][1] == "DocumentCompleted":
                    break
    assert kinds >= {"fact", "ink", "job", "sample"}
    assert facts[0][1] == "DocumentCreated"
    assert facts == sorted(set(facts))
    # A second one is told the same facts from the log; one that comes back, only what it has not.
    again = [(data["sequence"], data["event"]["type"]) async for data in _facts_of_the_log(client, mine)]
    assert again[: len(facts)] == facts
    assert {type_ for _, type_ in again[len(facts) :]} <= {"CallSettled"}, "the bill may come right behind the end"
    facts = again
    middle = facts[len(facts) // 2][0]
    rest = [data["sequence"] async for data in _facts_of_the_log(client, mine, str(middle))]
    assert rest == [sequence for sequence, _ in facts if sequence > middle]


async def _facts_of_the_log(
    client: httpx2.AsyncClient, document: Made, last_id: str | None = None
) -> AsyncIterator[Any]:
    async for event, _, data in told(client, document, last_id):
        if event == "CaughtUp":
            return
        yield data


async def test_a_command_is_seen_and_a_control_room_is_no_viewer(client: httpx2.AsyncClient) -> None:
    answer = await create(client, brief="Leave", sources=SOURCES, outline=sections(6), policy={"grace_ms": 0})
    document = Made(
        answer["id"], f"/api/documents/{answer['id']}/operations", {"Authorization": f"Bearer {answer['key']}"}
    )
    seen: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        watching = asyncio.create_task(_watch_until_text(client, document.id))
        async for _, _, data in told(client, document):
            type_ = data.get("event", {}).get("type", "")
            seen.append(f"{data.get('kind')} {type_}")
            if type_ == "DocumentPaused":
                assert data["event"]["reason"] == "last_viewer_left"
                await client.post(f"/api/documents/{document.id}/resume", headers=document.key)
            if type_ == "DocumentResumed":
                break
        await watching
    assert "command ResumeDocument" in seen


async def _watch_until_text(client: httpx2.AsyncClient, document: str) -> None:
    async with client.stream("GET", f"/api/documents/{document}/events", timeout=None) as response:
        async for line in response.aiter_lines():
            if line == "event: TextAppended":
                return


async def test_without_the_key_there_is_no_control_room(client: httpx2.AsyncClient) -> None:
    mine, other = await made(client, 1), await made(client, 1)
    paths = [(mine.path + end) for end in ("", "/dials", "/processes")]
    for path in paths:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=other.key)).status_code == 403
    assert (await client.patch(f"{mine.path}/dials", json={})).status_code == 401
    assert (await client.post(f"{mine.path}/processes", json={})).status_code == 401


async def test_dials_are_read_turned_told_and_refused_by_name(client: httpx2.AsyncClient) -> None:
    document = await made(client, 1)
    path = f"{document.path}/dials"
    assert (await client.get(path, headers=document.key)).json()["live"] == {}
    async with asyncio.timeout(PATIENCE_S):
        async for event, _, data in told(client, document):
            if event == "CaughtUp":
                turned = await client.patch(path, headers=document.key, json={"dials": {"faults": 0.3}})
                assert turned.json()["live"] == {"*": {"faults": 0.3}}
            if event == "Operation" and data["event"].get("type") == "DialsTurned":
                assert data["event"]["dials"] == {"faults": 0.3}
                break
    wrong: list[dict[str, dict[str, int]]] = [{"dials": {"nope": 1}}, {"dials": {"faults": 7}}, {"dails": {}}]
    for body in wrong:
        refused = await client.patch(path, headers=document.key, json=body)
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
    reset = await client.patch(path, headers=document.key, json={"reset": True})
    assert reset.json()["live"] == {}


async def test_a_writer_is_killed_frozen_and_thawed_and_the_bus_restarted(
    system: System, client: httpx2.AsyncClient
) -> None:
    document = await made(client, 1)
    path = f"{document.path}/processes"
    shown = (await client.get(path, headers=document.key)).json()["processes"]
    assert {"nats-server", "gateway", "writer-1", "writer-2"} <= {process["name"] for process in shown}
    writers = {process["name"]: process["pid"] for process in shown if process["name"].startswith("writer")}
    assert sorted(writers.values()) == system.pids("writer")
    seen: list[tuple[str, str]] = []

    async def act(process: str, action: str) -> dict[str, Any]:
        answer = await client.post(path, headers=document.key, json={"process": process, "action": action})
        assert answer.status_code == 200, answer.text
        assert process in answer.json()["did"]
        return answer.json()

    async def until(stream: AsyncIterator[tuple[str, str | None, Any]], type_: str, process: str = "") -> None:
        async for event, _, data in stream:
            if event == "Operation" and data["kind"] == "sample":
                seen.append((data["event"]["type"], data["event"].get("process", "")))
                if seen[-1] == (type_, process):
                    return

    async with asyncio.timeout(PATIENCE_S):
        stream = told(client, document)
        async for event, _, _ in stream:
            if event == "CaughtUp":
                break
        await act("writer-1", "kill")
        await until(stream, "ProcessStarted", "writer-1")
        await act("writer-2", "freeze")
        await until(stream, "ProcessFrozen", "writer-2")
        assert _state(writers["writer-2"]) == "T"
        await act("writer-2", "thaw")
        await until(stream, "ProcessThawed", "writer-2")
        before = system.pids("nats-server")
        await act("nats-server", "restart")
        await until(stream, "BusLost")
        await until(stream, "BusReturned")
        assert system.pids("nats-server") != before
    assert ("ProcessKilled", "writer-1") in seen
    assert writers["writer-1"] not in system.pids("writer")
    refused = await client.post(path, headers=document.key, json={"process": "gateway", "action": "restart"})
    while refused.status_code == 503:  # The room has heard of the bus before this request's own way was there again.
        refused = await client.post(path, headers=document.key, json={"process": "gateway", "action": "restart"})
    assert refused.status_code == 422
    refused = await client.post(path, headers=document.key, json={"process": "writer-1", "action": "explode"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/action"


def _state(pid: int) -> str:
    """As proc(5) has it: T is stopped by a signal."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


async def test_where_it_is_no_demo_nothing_can_be_turned_or_killed(tmp_path: Path) -> None:
    with running(tmp_path, "--writers", "1", "--no-demo") as system:
        async with httpx2.AsyncClient(base_url=system.gateway, trust_env=False, timeout=30) as client:
            document = await made(client, 1)
            for path, method, body in (
                ("/dials", "GET", None),
                ("/dials", "PATCH", {"dials": {"faults": 1}}),
                ("/processes", "GET", None),
                ("/processes", "POST", {"process": "writer-1", "action": "kill"}),
            ):
                answer = await client.request(method, document.path + path, headers=document.key, json=body)
                assert answer.status_code == 403
                assert "demo mode" in answer.json()["detail"]
            async for event, _, _ in told(client, document):
                assert event == "Operation"
                break
