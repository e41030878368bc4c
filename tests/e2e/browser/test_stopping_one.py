"""One section, or one cell of a table, is stopped by its reader while the others go on."""

from __future__ import annotations

from typing import Any

import httpx2
from playwright.sync_api import Locator, Page, expect

from schemas.document import Cancelled, Completed, Document, Writing, is_stopped_alone
from tests.dictated import DictatedModel
from tests.e2e.browser.reading import (
    button,
    cookies_of,
    dictated,
    in_the_log,
    section,
    until,
    until_complete,
)
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

ONE_STOPPED: dict[str, Any] = {"run": {"type": "Done"}, "cells": {"a": {"state": {"type": "Cancelled"}}}, "outline": []}


def opened(visitor: Visitor, client: httpx2.Client, *parts: dict[str, Any]) -> tuple[str, Page]:
    id_ = dictated(client, {"sections": list(parts)})
    visitor.context.add_cookies(cookies_of(client))
    return id_, visitor.open(f"/d/{id_}")


def tool(page: Page, heading: str, name: str) -> Locator:
    """In the section's toolbar, which is there while it is pointed at."""
    part = section(page, heading)
    part.hover()
    return part.get_by_role("toolbar").get_by_role("button", name=name, exact=True)


def is_closed(document: Document, cell: str) -> bool:
    found = document.cells[cell].state
    return isinstance(found, Cancelled) and found.closed_at_ms is not None


def test_a_section_is_stopped_from_its_tools_keeps_its_words_and_is_tried_again(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    model.says("a", "These words are kept.")
    model.says("b", "These go on.")
    parts: list[dict[str, Any]] = [{"id": "a", "heading": "Alpha"}, {"id": "b", "heading": "Beta"}]
    parts.append({"id": "sum", "heading": "Summary", "depends_on": ["a", "b"]})
    id_, page = opened(visitor, client, *parts)
    expect(section(page, "Alpha").get_by_text("These words are kept.")).to_be_visible()
    expect(section(page, "Beta").get_by_text("These go on.")).to_be_visible()
    tool(page, "Alpha", words("tools.stop")).click()
    expect(section(page, "Alpha")).to_contain_text(words("stoppedHint"))
    expect(section(page, "Alpha").get_by_text("These words are kept.")).to_be_visible()
    expect(section(page, "Alpha")).to_contain_text(words("keptText"))
    expect(tool(page, "Alpha", words("tools.stop"))).to_have_count(0)
    until(lambda: is_closed(in_the_log(client, id_), "a"))
    model.answers("sum", "In short.")
    model.ends("b")
    expect(page.get_by_text(words("runState", ONE_STOPPED, False), exact=True).first).to_be_visible()
    expect(section(page, "Summary").get_by_text("In short.")).to_be_visible()

    model.answers("a", " And these are new.")
    section(page, "Alpha").get_by_role("button", name=words("edit.retry"), exact=True).click()
    expect(section(page, "Alpha").get_by_text("And these are new.")).to_be_visible()
    until_complete(page)
    assert all(isinstance(cell.state, Completed) for cell in in_the_log(client, id_).cells.values())


def test_escape_closes_what_is_open_and_then_stops_the_chosen_section(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    model.says("a", "Not for long.")
    model.says("b", "To the end.")
    id_, page = opened(visitor, client, {"id": "a", "heading": "Alpha"}, {"id": "b", "heading": "Beta"})
    expect(section(page, "Alpha").get_by_text("Not for long.")).to_be_visible()
    expect(section(page, "Beta").get_by_text("To the end.")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name=words("page.help"))
    expect(keys).to_contain_text("else stop the chosen section or cell")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    share = page.get_by_role("button", name=words("page.shareHint"), exact=True)
    share.click()
    expect(page.get_by_role("dialog", name=words("page.shareHint"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name=words("page.shareHint"))).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name=f"{words('tools.stop')}: Alpha")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    states = {type(cell.state) for cell in in_the_log(client, id_).cells.values()}
    assert states == {Writing}, "what was open was closed, and nothing stopped"
    page.keyboard.press("Escape")
    expect(section(page, "Alpha")).to_contain_text(words("stoppedHint"))
    page.keyboard.press("Escape")
    model.ends("b")
    expect(page.get_by_text(words("runState", ONE_STOPPED, False), exact=True).first).to_be_visible()
    assert isinstance(in_the_log(client, id_).cells["b"].state, Completed)
    button(page, words("page.again")).click()
    model.ends("a")
    until_complete(page)


def test_escape_stops_the_cell_of_a_table_that_has_the_focus(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    columns = [{"id": "who", "heading": "Who"}, {"id": "what", "heading": "What"}]
    id_, page = opened(visitor, client, {"id": "t", "heading": "Terms", "columns": columns})
    until(lambda: sum(isinstance(c.state, Writing) for c in in_the_log(client, id_).cells.values()) == len(columns))
    cells = section(page, "Terms").get_by_role("gridcell")
    expect(cells).to_have_count(2)
    cells.nth(0).focus()
    cells.nth(0).press("ArrowRight")
    expect(cells.nth(1)).to_be_focused()
    cells.nth(1).press("Escape")
    until(lambda: is_closed(in_the_log(client, id_), "t:s1:what"))
    expect(cells.nth(1)).to_contain_text(words("STATES.cancelled"))
    cells.nth(1).press("Escape")
    model.answers("t:s1:who", '{"answer": "you", "quote": "", "passage": 0}')
    expect(page.get_by_text(words("runState", ONE_STOPPED, False), exact=True).first).to_be_visible()
    document = in_the_log(client, id_)
    assert [id_ for id_, cell in document.cells.items() if is_stopped_alone(cell)] == ["t:s1:what"]
    assert isinstance(document.cells["t:s1:who"].state, Completed)
