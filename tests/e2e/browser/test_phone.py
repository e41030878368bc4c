"""A document on a screen of 360 pixels: what lies over the text gives it back, and nothing is out of reach."""

from __future__ import annotations

import re

import httpx2
from playwright.sync_api import Page, expect

from tests.dictated import DictatedModel
from tests.e2e.browser.reading import PATIENT, button, cookies_of, dictated, in_the_log, section, until
from tests.e2e.browser.visitor import Visitor
from tests.system import sections
from tests.wording import words

PHONE = {"width": 360, "height": 780}
CITED = " ".join(f'{"Word" * (n % 5 + 1)} by word [[s1:{n % 9 + 1} "Licen"]].' for n in range(60))
BEGINS_A_LINE = """
(chips) => chips.filter((chip) => {
  const before = document.createRange();
  const words = document.createTreeWalker(chip.closest('p'), NodeFilter.SHOW_TEXT);
  let last = null;
  while (words.nextNode() && !(chip.compareDocumentPosition(words.currentNode) & Node.DOCUMENT_POSITION_FOLLOWING)) {
    if (/[a-z]/i.test(words.currentNode.data) && !chip.contains(words.currentNode)) last = words.currentNode;
  }
  const end = last.data.search(/\\S\\s*$/) + 1;
  before.setStart(last, end - 1);
  before.setEnd(last, end);
  return chip.getBoundingClientRect().left < before.getBoundingClientRect().right - 1;
}).length
"""
"""How many of these stand on another line than the word before them."""


def phone(visitor: Visitor, document: str) -> Page:
    page = visitor.context.new_page()
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    page.goto(f"{visitor.home}/d/{document}")
    return page


def test_who_closes_the_evidence_is_where_they_were_at_the_citation_they_had_come_from(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    long = "\n\n".join(f"Paragraph {n} of many words, so that there is something to scroll." for n in range(30))
    for number in (1, 2, 3):
        model.answers(f"part-{number}", f'{long} [[s1:{number} "Licen"]]\n\n{long}')
    page = phone(visitor, dictated(client, sections(3, summary=False), policy=PATIENT))
    until_complete_on(page)
    chip = section(page, "Part 2").get_by_role("button", name=re.compile("LICENSE"))
    for close in ("Escape", "beside"):
        chip.click()
        expect(page.get_by_role("complementary").locator("mark")).to_be_visible()
        there = page.evaluate("() => scrollY")
        assert there > PHONE["height"]
        if close == "Escape":
            page.keyboard.press("Escape")
        else:
            button(page, words("page.close")).click(position={"x": 10, "y": 300})
        expect(page.get_by_role("complementary")).to_have_count(0)
        expect(chip).to_be_focused()
        expect(chip).to_be_in_viewport()
        assert page.evaluate("() => scrollY") == there
    # Whoever has gone on meanwhile is not taken back.
    page.evaluate("() => scrollTo({ top: 0 })")
    page.keyboard.press("]")
    expect(page.get_by_role("complementary")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)
    assert page.evaluate("() => scrollY") == 0


def until_complete_on(page: Page) -> None:
    """There is no room to say so: until nothing can be stopped any more."""
    expect(page.get_by_role("main").get_by_role("region").first).to_be_visible()
    expect(button(page, words("page.stop"))).to_have_count(0)


def test_a_document_is_told_to_go_on_from_the_outline(
    visitor: Visitor, client: httpx2.Client, model: DictatedModel
) -> None:
    model.says("part-1", "It begins.")
    id_ = dictated(client, sections(2))
    visitor.context.add_cookies(cookies_of(client))
    page = phone(visitor, id_)
    button(page, words("page.showOutline")).click()
    keep = page.get_by_role("navigation", name=words("page.outline")).get_by_label(words("page.keepOn"))
    expect(keep).to_be_in_viewport()
    keep.check()
    until(lambda: in_the_log(client, id_).policy.on_last_viewer_left == "continue")


def test_no_line_begins_with_a_citation(visitor: Visitor, client: httpx2.Client, model: DictatedModel) -> None:
    model.answers("part-1", CITED)
    page = phone(visitor, dictated(client, sections(1, summary=False)))
    until_complete_on(page)
    chips = section(page, "Part 1").get_by_role("button", name=re.compile("LICENSE"))
    expect(chips).to_have_count(60)
    assert chips.evaluate_all(BEGINS_A_LINE) == 0
