"""A table on its page: a question is tried on a few sources, asked of all, and summed up while its cells fill in."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import msgspec
from playwright.sync_api import Locator, Page, expect

from schemas.document import Document
from tests.dictated import DictatedModel
from tests.e2e.browser.reading import PATIENT, button, in_the_log, section, until, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

BOOKS = {"s1": 10, "s2": 20, "s3": 30, "s4": 40, "s5": 50}
"""Pages of each."""
TABLE = {"id": "t", "heading": "Books", "columns": [{"id": "ink", "heading": "Ink"}]}


def answered(answer: str, quote: str = "", passage: int = 0) -> str:
    return msgspec.json.encode({"answer": answer, "quote": quote, "passage": passage}).decode()


def made(client: httpx2.Client, model: DictatedModel, visitor: Visitor) -> tuple[str, Page]:
    """A table of five books and one column, written; and its page, in a browser that has the key."""
    for id_, pages in BOOKS.items():
        model.answers(f"t:{id_}:ink", answered("black", "in black ink", 1))
        model.says(f"t:{id_}:pages", answered(f"{pages} pages", f"It has {pages} pages", 1))
    body: dict[str, Any] = {
        "brief": "Books",
        "outline": {"sections": [TABLE]},
        "policy": PATIENT,
        "sources": [{"name": f"Book {n}", "text": f"It has {n} pages, written in black ink."} for n in BOOKS.values()],
    }
    answer = client.post("/api/documents", json=body).raise_for_status().json()
    host = visitor.home.rsplit(":", 1)[0].removeprefix("http://")
    path = f"/api/documents/{answer['id']}"
    visitor.context.add_cookies([{"name": "scriptorium-key", "value": answer["key"], "domain": host, "path": path}])
    page = visitor.open(f"/d/{answer['id']}")
    until_complete(page)
    return answer["id"], page


def asked(document: Document, column: str) -> set[str]:
    """The rows of which a column has an answer."""
    return {id_.split(":")[1] for id_, cell in document.cells.items() if id_.endswith(f":{column}") and cell.completed}


def foot(page: Page) -> Locator:
    return section(page, "Books").get_by_role("row", name=words("table.inAll"))


def ask(page: Page, heading: str, *, sources: int) -> None:
    """A question that is answered by a number, of so many sources at first."""
    button(page, words("table.add")).click()
    form = page.get_by_role("dialog", name=words("table.add"))
    form.get_by_label(words("table.heading"), exact=True).fill(heading)
    form.get_by_label(words("table.formats.number")).check()
    form.get_by_label(words("table.sample", sources)).check()
    button(page, words("table.see")).click()


def update(page: Page) -> None:
    """Yes to what is proposed."""
    expect(page.get_by_role("alertdialog")).to_be_visible()
    button(page, words("edit.update")).click()


def test_a_column_is_tried_on_a_sample_then_asked_of_all_and_summed_up_as_it_fills(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    id_, page = made(client, model, visitor)
    expect(foot(page)).to_have_count(0)  # Of words there is nothing to add up.
    ask(page, "Pages", sources=3)
    expect(page.get_by_role("alertdialog")).to_contain_text("3 cells")
    update(page)
    # Nothing is summed up that has not come; what has come is, at once.
    expect(foot(page)).to_contain_text("0 of 3 answered")
    tried = {"s2", "s4", "s5"}
    model.ends("t:s2:pages")
    expect(foot(page)).to_contain_text("Sum 20 pages")
    model.ends("t:s4:pages", "t:s5:pages")
    expect(foot(page)).to_contain_text("Sum 110 pages")
    expect(foot(page)).to_contain_text("3 of 3 answered")
    until_complete(page)
    assert asked(in_the_log(client, id_), "pages") == tried
    expect(section(page, "Books").get_by_text(words("table.notAsked"))).to_have_count(2)

    # One of them by hand, from the keyboard: it stays, whatever is asked afterwards, and it counts.
    cell = section(page, "Books").get_by_role("gridcell", name=re.compile("20 pages"))
    cell.focus()
    cell.press("Enter")
    panel = page.get_by_role("complementary", name=words("panels.evidence"))
    expect(panel.get_by_text("20 pages").first).to_be_visible()
    cell.focus()
    cell.press("e")
    panel.get_by_role("textbox").fill("25 pages")
    button(page, words("edit.save")).click()
    expect(foot(page)).to_contain_text("Sum 115 pages")

    button(page, words("table.menu", "Pages")).click()
    button(page, words("table.fill")).click()
    expect(page.get_by_role("alertdialog")).to_contain_text("2 cells")
    model.ends(*(f"t:{row}:pages" for row in BOOKS))
    update(page)
    expect(foot(page)).to_contain_text("Sum 155 pages")
    expect(foot(page)).to_contain_text("mean 31, median 30")
    until_complete(page)
    document = in_the_log(client, id_)
    by_hand = document.cells["t:s2:pages"].completed
    assert by_hand is not None
    assert by_hand.text == "25 pages"
    assert document.ledger.calls == len(BOOKS) * 2, "each cell once"

    # `r` of a text by hand offers a rewrite beside it, and takes nothing away.
    cell = section(page, "Books").get_by_role("gridcell", name=re.compile("25 pages"))
    cell.focus()
    cell.press("r")
    expect(page.get_by_role("group", name=words("edit.offer")).locator("ins").first).to_contain_text("20")
    until(lambda: in_the_log(client, id_).cells["t:s2:pages"].offer is not None)
    expect(foot(page)).to_contain_text("Sum 155 pages")
    cell.press("ArrowDown")
    expect(section(page, "Books").get_by_role("gridcell", name=re.compile("30 pages"))).to_be_focused()
