"""The client against a real gateway: what docs/client.md shows does what it says, and answers are what they are said to be."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from schemas.operations import TurnDials
from scriptorium import Document, DocumentAsked, DocumentClient, Problem, ScriptoriumClient, SourceAsked, TemplateAsked
from tests.system import System

DOCS = Path(__file__).parents[2] / "docs"
SECONDS = 120


async def _billed(document: DocumentClient) -> Document:
    async with aclosing(document.watch()) as seen:
        return await anext(now async for now in seen if not now.open_calls)


def test_the_example_runs_as_it_stands(system: System, tmp_path: Path) -> None:
    example = re.search(
        r"^```python\n(.*?)^```", (DOCS / "client.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert example is not None
    program = tmp_path / "example.py"
    program.write_text(example[1].replace("http://127.0.0.1:8080", system.gateway), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert "[('tools', True), ('short', False)]" in said
    assert "[('Ada', 'SectionEdited')]" in said
    assert "## Tools" in said
    assert said.count("A quill a day.") == 2  # In what differs, and in what is taken away.


async def test_every_answer_is_of_the_type_that_the_client_says(system: System) -> None:
    async with ScriptoriumClient(system.gateway) as scriptorium:
        assert await scriptorium.alive()
        assert await scriptorium.ready()
        assert (await scriptorium.demos()).demos
        assert {provider.name for provider in (await scriptorium.models()).providers} == {"simulator", "dictated"}
        assert (await scriptorium.try_model("simulator/client")).ok
        upload = await scriptorium.upload("notes.md", b"# Notes\n\nScribes copied books.\n")
        document = await scriptorium.create(
            DocumentAsked(brief="B", sources=(SourceAsked(upload=upload),), outline="## One {#one}"),
            idempotency_key="once",
        )
        await document.rest()
        done = await _billed(document)
        passages = await document.passages("s1")
        assert passages.name == "notes.md"
        assert await document.passage("s1", 1) == passages.passages[0]
        log = [one async for one in document.log()]
        assert log[-1].sequence == done.sequence
        assert type(log[0].fact).__name__ == "DocumentCreated"
        assert [one async for one in document.log(after=log[0].sequence, limit=2)] == log[1:3]
        assert "writer-1" in {process.name for process in (await document.processes()).processes}
        assert "faults" in (await document.dials())["defaults"]
        assert (await document.turn_dials(TurnDials(model="client", dials={"faults": 0.0})))["live"]
        async with aclosing(document.operations()) as operations:
            assert (await anext(operations)).type
        stranger = scriptorium.document(document.id)
        assert (await stranger.get()).sequence == done.sequence
        with pytest.raises(Problem, match="key") as refused:
            await stranger.lock("one")
        assert refused.value.status == 401

        kept = await scriptorium.save_template(TemplateAsked(name="Mine", document=document.id))
        assert kept in await scriptorium.templates()
        await scriptorium.forget_template(kept.id)
        copy = await document.duplicate("Copy")
        await copy.rest()
        assert {card.id async for card in scriptorium.list_all()} >= {document.id, copy.id}
        assert [await copy.delete(), await document.delete()] == [True, True]
