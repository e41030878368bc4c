"""What is refused leaves nothing behind, and what is asked twice is made once."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from schemas import subjects
from services.gateway.uploads import KEPT_MS, Uploads
from services.shared.bus import Bus
from services.shared.clock import now_ms
from services.shared.log import read
from services.shared.sources import SourceStore
from tests.integration.conftest import BusFactory
from tests.integration.gateways import GatewayProcess
from tests.system import create

TEXT = {"name": "a.md", "text": "# A\n\nWords."}


async def _post(
    house: GatewayProcess, headers: dict[str, str] | None = None, **body: Any
) -> tuple[int, dict[str, Any]]:
    sent = {"Content-Type": "application/json"} | (headers or {})
    response = await house.client.post("/api/documents", content=msgspec.json.encode(body), headers=sent)
    return response.status_code, response.json()


async def test_a_document_whose_second_source_is_missing_leaves_no_trace_of_its_first(
    house: GatewayProcess, bus: BusFactory
) -> None:
    operator = await bus("operator")
    before = await _kept(operator)
    status, problem = await _post(house, brief="B", sources=[TEXT, {"upload": "0" * 32}])
    assert (status, problem["errors"][0]["pointer"]) == (422, "/sources/1/upload")
    assert await _kept(operator) == before, "a fact, or bytes in the object store"


async def _kept(bus: Bus) -> tuple[int, dict[str, int]]:
    """How many facts there are, and which bytes."""
    facts = [stored async for stored in read(bus.client, subjects.FACTS, subjects.facts_stored())]
    info = await bus.js.stream_info(f"OBJ_{subjects.SOURCES}", subjects_filter=f"$O.{subjects.SOURCES}.C.>")
    return len(facts), info.state.subjects or {}


async def test_ten_requests_at_once_with_one_key_make_one_document(house: GatewayProcess, bus: BusFactory) -> None:
    operator = await bus("operator")
    headers = {"Idempotency-Key": "once"}
    before, _ = await _kept(operator)
    answers = await asyncio.gather(*(_post(house, headers, brief="B", sources=[TEXT]) for _ in range(10)))
    assert {status for status, _ in answers} == {201}
    assert len({answer["id"] + answer["key"] for _, answer in answers}) == 1
    assert (await _kept(operator))[0] == before + 1
    store = await SourceStore.open(operator)
    assert await store.get_bytes(answers[0][1]["id"], "s1", sha256(TEXT["text"].encode()).hexdigest()) == (
        TEXT["text"].encode()
    )


async def test_an_outline_too_long_for_one_message_is_refused_at_once(house: GatewayProcess) -> None:
    sections = [{"id": f"s{n}", "heading": "H", "instructions": "ß" * 20_000} for n in range(120)]
    async with asyncio.timeout(5):
        status, problem = await _post(house, brief="B", outline={"sections": sections})
    assert status == 413
    assert "bytes" in problem["detail"]


async def test_a_model_of_an_unknown_provider_is_refused_by_name(house: GatewayProcess) -> None:
    status, problem = await _post(house, brief="B", policy={"model": "nobody/large"})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/policy/model")
    assert "simulator" in problem["detail"]


async def test_a_source_on_this_machine_is_not_fetched(house: GatewayProcess) -> None:
    status, problem = await _post(house, brief="B", sources=[{"url": "http://127.0.0.1:1/"}])
    assert (status, problem["errors"][0]["pointer"]) == (422, "/sources/0/url")
    assert "not on the public internet" in problem["detail"]


async def test_with_an_outline_and_no_title_the_brief_begins_the_document(house: GatewayProcess) -> None:
    outline = {"sections": [{"id": "a", "heading": "A"}]}
    made = await create(house.client, brief="\n Scribes at work \nand more", outline=outline)
    assert (await house.client.get(f"/api/documents/{made['id']}")).json()["title"] == "Scribes at work"


async def test_an_upload_goes_after_an_hour_and_not_before(house: GatewayProcess, bus: BusFactory) -> None:
    operator = await bus("operator")
    answer = await house.client.post("/api/uploads?name=n.txt", content=b"words")
    upload = answer.json()["upload"]
    uploads = Uploads(operator, await SourceStore.open(operator), await operator.js.key_value(subjects.IDEMPOTENCY))
    assert await uploads.sweep(now_ms()) == 0
    assert await uploads.get(upload) == ("n.txt", b"words")
    assert await uploads.sweep(now_ms() + KEPT_MS) == 1
    assert await uploads.get(upload) is None
    assert await uploads.sweep(now_ms() + KEPT_MS) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_a_foreign_page_may_not_spend_anybodys_money(
    house: GatewayProcess, headers: dict[str, str], status: int
) -> None:
    assert (await _post(house, headers, brief="B"))[0] == status
