"""Documents taken away over HTTP: each form by its name and by its media type, and a clear no for the others."""

from __future__ import annotations

import csv
import io
from hashlib import sha256
from typing import Any

import docx as word_files
import httpx2
import pytest
from lxml import html as parser

from schemas.attempts import attempt_number
from schemas.cells import text_digest
from schemas.events import AttemptStarted, CellCompleted, CellQueued, DocumentCompleted
from schemas.passages import Passage, Passages
from services.shared.bus import Bus
from services.shared.log import append
from services.shared.sources import SourceStore
from tests.integration.conftest import BusFactory
from tests.system import create

A1 = attempt_number(1, 1, 1)
PROSE = {"id": "a", "heading": "First"}
TABLE = {"id": "t", "heading": "Table", "columns": [{"id": "q", "heading": "Q"}]}
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


async def _finished(client: httpx2.AsyncClient, bus: Bus) -> str:
    """A document of one section and one table, written; its path."""
    sources = [{"name": "The Rule", "text": "Pray and work."}]
    made = await create(client, brief="B", title="Röle: a/b", sources=sources, outline={"sections": [PROSE, TABLE]})
    passage = Passage(number=1, start=0, end=14, text="Pray and work.", page=3)
    read = Passages(source="s1", name="The Rule", digest="d", text="Pray and work.", passages=(passage,))
    await (await SourceStore.open(bus)).put_passages(made["id"], sha256(b"Pray and work.").hexdigest(), read)
    for cell, text in (("a", 'Work [[s1:1 "and work"]].'), ("t:s1:q", "=1 [[s1:1]]")):
        queued = CellQueued(at_ms=1, cell=cell, revision=1, job=1, input_digest="i", lane="interactive", deadline_ms=9)
        done = CellCompleted(at_ms=3, cell=cell, revision=1, attempt=A1, text=text, output_digest=text_digest(text))
        for fact in (queued, AttemptStarted(at_ms=2, cell=cell, attempt=A1, writer="w", model="m/a"), done):
            await append(bus, made["id"], fact)
    await append(bus, made["id"], DocumentCompleted(at_ms=9, cells_completed=2, cells_failed=0))
    return f"/api/documents/{made['id']}"


async def test_each_form_is_to_be_had_by_name_and_by_media_type(client: httpx2.AsyncClient, bus: BusFactory) -> None:
    path = await _finished(client, await bus("operator"))
    for format_, accept in (("md", "text/markdown"), ("html", "text/html"), ("docx", WORD), ("csv", "text/csv")):
        named = await client.get(path, params={"format": format_})
        accepted = await client.get(path, headers={"Accept": accept})
        assert named.status_code == accepted.status_code == 200
        assert named.headers["content-type"].startswith(accept)
        assert named.headers["content-disposition"].endswith(f"filename*=UTF-8''R%C3%B6le%20a%20b.{format_}")
        if format_ != "docx":  # Which holds the moment at which it was packed.
            assert named.content == accepted.content
    assert (await client.get(path)).json()["title"] == "Röle: a/b"

    read_html: Any = parser
    page = read_html.document_fromstring((await client.get(path, params={"format": "html"})).content)
    assert "page 3" in page.get_element_by_id("source-1").text_content()
    word = word_files.Document(io.BytesIO((await client.get(path, params={"format": "docx"})).content))
    assert "Work [1]." in [paragraph.text for paragraph in word.paragraphs]
    table = (await client.get(path, params={"format": "csv", "section": "t"})).content.decode("utf-8-sig")
    assert [*csv.reader(io.StringIO(table))] == [["Source", "Q"], ["The Rule", "'=1"]]


async def test_an_html_export_has_a_policy_of_its_own(client: httpx2.AsyncClient, bus: BusFactory) -> None:
    path = await _finished(client, await bus("operator"))
    policies = (await client.get(path, params={"format": "html"})).headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "sandbox" in policies[0]
    assert (await client.get(path)).headers.get_list("content-security-policy") != policies


@pytest.mark.parametrize(
    ("query", "accept", "refusal"),
    [
        ("?format=pdf", "*/*", (422, ("/format",))),
        ("?format=csv&section=a", "*/*", (422, ("/section",))),
        ("", "image/png", (406, ())),
    ],
)
async def test_what_is_not_to_be_had_is_refused(
    client: httpx2.AsyncClient, bus: BusFactory, query: str, accept: str, refusal: tuple[int, tuple[str, ...]]
) -> None:
    path = await _finished(client, await bus("operator"))
    answer = await client.get(f"{path}{query}", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/problem+json"
    pointers = tuple(error["pointer"] for error in answer.json().get("errors", ()))
    assert (answer.status_code, pointers) == refusal
