"""The main job as a reader does it, from the first screen on, with the simulator as the model."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Error, Page, expect

from schemas.document import Completed, Paused
from tests.e2e.browser.dropping import DROP
from tests.e2e.browser.reading import (
    LICENSE,
    assert_reads,
    button,
    id_of,
    in_the_log,
    letters,
    section,
    until,
    until_complete,
)
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

OUTLINE = "What is granted: copyright and patents\nWhat is asked: notices and changes\nLimits: warranty\nSummary"
HEADINGS = ("What is granted", "What is asked", "Limits", "Summary")


def begin(page: Page) -> None:
    """A brief, a dropped file, an outline; and off it goes."""
    page.get_by_label(words("first.brief")).fill("What this licence allows")
    page.get_by_role("group", name=words("first.sources")).evaluate(DROP, ["LICENSE.txt", LICENSE])
    expect(button(page, words("first.remove", "LICENSE.txt"))).to_be_visible()
    page.get_by_text(words("first.outline")).first.click()
    page.get_by_role("textbox", name=words("first.outline")).fill(OUTLINE)
    button(page, words("first.start")).click()


def test_a_brief_and_a_dropped_file_become_a_document_whose_claims_lead_to_their_passages(
    visitor: Visitor, client: httpx2.Client
) -> None:
    page = visitor.open()
    begin(page)
    until_complete(page)
    document = in_the_log(client, id_of(page))
    assert [part.heading for part in document.outline] == [*HEADINGS]
    assert_reads(page, document)
    evidence = page.get_by_role("complementary", name=words("page.evidence"))
    followed = 0
    for part in document.outline:
        completed = document.cells[part.id].completed
        assert completed is not None
        chips = section(page, part.heading).get_by_role("button", name=re.compile("LICENSE.txt"))
        expect(chips).to_have_count(len(completed.citations))
        for number, citation in enumerate(completed.citations[:2]):
            chips.nth(number).click()
            expect(evidence.locator("mark")).to_be_in_viewport()
            assert letters(evidence.locator("mark").inner_text()) == letters(citation.quote)
            followed += 1
    assert followed >= len(HEADINGS)
    # And the other way: from the passage to the claims that use it.
    lit = evidence.get_by_role("article").filter(has=page.locator("mark"))
    lit.get_by_role("button", name=re.compile(r"\d")).first.click()
    lit.get_by_role("listitem").get_by_role("button").first.click()
    expect(
        page.get_by_role("main").get_by_role("button", name=re.compile("LICENSE.txt")).and_(page.locator(":focus"))
    ).to_be_visible()


def test_a_stop_shows_its_receipt_and_resume_writes_the_rest(
    visitor: Visitor, client: httpx2.Client, simulator: httpx2.Client
) -> None:
    slow = {"pace": "fixed", "first_token_ms": 50, "token_interval_ms": 2_000}
    simulator.patch("/dials", json={"dials": slow}).raise_for_status()
    page = visitor.open()
    begin(page)
    id_ = id_of(page)
    for heading in HEADINGS[:-1]:
        expect(section(page, heading).get_by_role("paragraph").filter(has_text=re.compile(r"\w")).first).to_be_visible()
    calls = simulator.get("/record/open", params={"document": id_}).json()
    assert len(calls) >= len(HEADINGS) - 1
    button(page, words("page.stop")).click()
    expect(page.get_by_text(words("runState", _paused(), False), exact=False).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ calls? closed in"))).to_be_visible()
    until(lambda: simulator.get("/record/open", params={"document": id_}).json() == [])
    record: list[dict[str, Any]] = simulator.get("/record", params={"document": id_}).json()
    assert {call["ended"] for call in record} == {"client_gone"}
    stopped = in_the_log(client, id_)
    assert isinstance(stopped.run, Paused)
    assert stopped.stop is not None
    receipt = words("receipt", {name: getattr(stopped.stop, name) for name in stopped.stop.__struct_fields__})
    expect(page.get_by_text(receipt)).to_be_visible()
    simulator.delete("/dials").raise_for_status()
    button(page, words("page.resume")).click()
    until_complete(page)
    document = in_the_log(client, id_)
    assert all(isinstance(cell.state, Completed) for cell in document.cells.values())
    assert_reads(page, document)


def _paused() -> dict[str, Any]:
    return {"run": {"type": "Paused", "reason": "stop_asked"}, "cells": {}, "outline": []}


def test_the_demo_is_one_click_away(visitor: Visitor, client: httpx2.Client) -> None:
    page = visitor.open()
    page.get_by_role("region", name=words("first.demo")).get_by_role("button").first.click()
    until_complete(page)
    document = in_the_log(client, id_of(page))
    assert len(document.outline) >= 8
    expect(page.get_by_role("heading", level=1)).to_have_text(document.title)
    for part in document.outline:
        expect(section(page, part.heading)).to_be_attached()


@pytest.mark.parametrize(
    "does",
    [
        "document.body.innerHTML = '<b>x</b>'",
        "document.createElement('script').text = 'x'",
        "setTimeout('1')",
        "new DOMParser().parseFromString('<b>x</b>', 'text/html')",
    ],
)
def test_no_markup_and_no_script_is_made_of_a_string(visitor: Visitor, does: str) -> None:
    visitor.forgive("requires 'Trusted")
    with pytest.raises(Error, match="requires 'Trusted"):
        visitor.open().evaluate(f"() => {{ {does} }}")
