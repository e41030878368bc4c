"""A document that follows a folder: a file is saved, and in a page that nobody touches exactly what is written from it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect

from schemas.document import Document, Done
from tests.dictated import DictatedModel
from tests.e2e.browser.reading import PATIENT, button, create, in_the_log, section, until, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.e2e.systems import QUICK
from tests.system import System, running
from tests.wording import words

TABLE: dict[str, Any] = {
    "sections": [
        {
            "id": "compared",
            "heading": "Compared",
            "columns": [{"id": "says", "heading": "Says", "instructions": "What does it say?"}],
        },
        {"id": "grant", "heading": "Grant", "instructions": "Say what is granted."},
    ]
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is watched."""
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, model: DictatedModel, notes: Path) -> Iterator[System]:
    """A system of its own, that offers the folder."""
    folder = tmp_path_factory.mktemp("up")
    config = model.config(folder, QUICK)
    with running(folder / "data", "--writers", "1", "--config", str(config), "--watch", f"notes={notes}") as started:
        yield started


def _watched(page: Page) -> None:
    """By hand, as a reader does: add, watch a folder, watch."""
    button(page, words("outline.addSource")).click()
    button(page, words("watches.addFolder")).click()
    expect(page.get_by_role("button", name="notes", pressed=True)).to_be_visible()
    page.get_by_role("textbox", name=words("watches.files")).fill("*.md")
    button(page, words("watches.watch")).click()
    expect(page.get_by_role("heading", name=words("watches.title"))).to_be_visible()


def _is_written(document: Document, *cells: str) -> bool:
    """Done, and each of these was written after the last edit: a document that was done before it rests for a moment longer."""
    completed = [document.cells[cell].completed for cell in cells if cell in document.cells]
    written = [one for one in completed if one is not None and one.sequence > document.version]
    return isinstance(document.run, Done) and len(written) == len(cells)


def test_saving_a_file_rewrites_exactly_what_is_written_from_it_in_a_page_that_nobody_touches(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel, notes: Path
) -> None:
    (notes / "one.md").write_text("The first note. It is about skins of calves.\n", encoding="utf-8")
    (notes / "two.md").write_text("The second note. It is about oak galls.\n", encoding="utf-8")
    model.answers("compared:s1:says", '{"answer": "calves"}')
    model.answers("compared:s2:says", '{"answer": "galls"}')
    model.answers("grant", "Of calves and galls.")
    id_ = create(client, brief="Notes", title="Notes", outline=TABLE, policy=PATIENT)
    visitor.context.add_cookies(
        [
            {"name": one.name, "value": one.value or "", "domain": one.domain, "path": one.path}
            for one in client.cookies.jar
        ]
    )
    page = visitor.open(f"/d/{id_}")
    _watched(page)
    table = section(page, "Compared")
    expect(table.get_by_role("row", name=re.compile("two.md"))).to_be_visible()
    rows = {"one.md": "s1", "two.md": "s2"}
    until(lambda: {one.given.name: key for key, one in in_the_log(client, id_).sources.items()} == rows)
    until(lambda: _is_written(in_the_log(client, id_), "compared:s2:says", "grant"))
    until_complete(page)
    before = in_the_log(client, id_)

    # Saved. From here on nobody touches the page; and a cell that nothing is dictated for would never be done.
    model.forget()
    model.answers("compared:s1:says", '{"answer": "goats"}')
    model.answers("grant", "Of goats and galls.")
    (notes / "one.md").write_text(
        "The first note, once more. It is about skins of calves and goats.\n", encoding="utf-8"
    )
    until(lambda: in_the_log(client, id_).version > before.sequence)
    until(lambda: _is_written(in_the_log(client, id_), "compared:s1:says", "grant"))
    after = in_the_log(client, id_)
    rewritten = {
        cell
        for cell, one in after.cells.items()
        if one.completed is not None and one.completed != before.cells[cell].completed
    }
    # What asks the first note, and the prose that is written from all sources; not what asks the second.
    assert {cell.partition(":")[2] or cell for cell in rewritten} == {"s1:says", "grant"}, rewritten
    expect(table.get_by_role("row", name=re.compile("one.md"))).to_contain_text("goats")
    expect(section(page, "Grant")).to_contain_text("Of goats and galls.")
    kept = after.cells["compared:s2:says"].completed
    assert kept is not None
    assert kept.attempt == before.cells["compared:s2:says"].attempt

    # What changed in the source itself, and who says so.
    outline = page.get_by_role("navigation", name=words("page.outline"))
    outline.get_by_role("button", name=re.compile(r"^one\.md")).click()
    button(page, words("sourceChange.show")).click()
    change = page.get_by_role("region", name=words("sourceChange.title", "one.md"))
    expect(change.locator("ins").first).to_be_visible()
    expect(change).to_contain_text("goats")
    history = client.get(f"/api/documents/{id_}/history").json()["changes"]
    assert (history[0]["type"], history[0]["cause"], history[0]["who"]) == ("SourceReplaced", "watcher", "notes")

    # The folder loses a file, and the table its row; then the document follows it no longer.
    (notes / "two.md").unlink()
    expect(table.get_by_role("row", name=re.compile("two.md"))).to_have_count(0)
    name = words("watches.folder", "notes", "*.md")
    button(page, words("watches.menu", name)).click()
    button(page, words("watches.stop")).click()
    expect(page.get_by_role("heading", name=words("watches.title"))).to_have_count(0)
    assert client.get(f"/api/documents/{id_}/watches").json() == {"watches": []}
