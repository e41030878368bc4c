"""A document changed on its page: what each change costs is said first, and nothing that anybody typed is lost."""

from __future__ import annotations

import re

import httpx2
import pytest
from playwright.sync_api import APIResponse, Route, expect

from tests.dictated import DictatedModel
from tests.e2e.browser.owned import WRITTEN, Owned, editing
from tests.e2e.browser.reading import button, in_the_log, section, until, until_complete
from tests.e2e.browser.visitor import Visitor
from tests.wording import words

BY_HAND = "Use it as you like."
HOLD = """
window.held = null;
const { set } = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, 'onmessage');
Object.defineProperty(BroadcastChannel.prototype, 'onmessage', {
  set(take) {
    set.call(this, (event) => (window.held === null ? take(event) : window.held.push(() => take(event))));
  },
});
"""
"""A script for a tab that follows another: what that one tells it can be held, and let go."""
READ = """
(section) => {
  window.blank = 0;
  const frame = () => {
    const words = [...section.querySelectorAll('p, textarea')].filter((one) => Number(getComputedStyle(one).opacity) > 0.5);
    if (!words.some((one) => one.textContent.trim() || one.value)) window.blank++;
    requestAnimationFrame(frame);
  };
  frame();
}
"""
"""Looks in every frame whether there is anything to read in a section."""


@pytest.fixture
def owned(client: httpx2.Client, model: DictatedModel) -> Owned:
    """One for this test."""
    return Owned(client, model)


def test_text_by_hand_is_previewed_and_locked_and_a_rewrite_is_offered_beside_it(
    visitor: Visitor, client: httpx2.Client, owned: Owned
) -> None:
    page = owned.open(visitor)
    box = editing(page, "Grant")
    expect(box).to_have_value(WRITTEN)
    box.fill(BY_HAND)
    button(page, words("edit.save")).click()
    # Before anything is spent: what it would come to. The summary is written from this section.
    expect(page.get_by_role("alertdialog", name=words("edit.text", "Grant"))).to_be_visible()
    before = in_the_log(client, owned.id).cells["grant"].completed
    assert before is not None
    assert before.text == WRITTEN
    button(page, words("edit.update")).click()
    expect(section(page, "Grant").get_by_text(BY_HAND)).to_be_visible()
    expect(section(page, "Grant").get_by_text(words("page.locked"))).to_be_visible()
    until_complete(page)

    section(page, "Grant").hover()
    button(page, words("tools.rewrite")).and_(section(page, "Grant").get_by_role("button")).click()
    offer = page.get_by_role("group", name=words("edit.offer"))
    expect(offer.locator("ins")).to_contain_text("granted")
    expect(offer.locator("del")).to_contain_text("Use it")
    kept = in_the_log(client, owned.id).cells["grant"]
    assert kept.completed is not None
    assert kept.completed.text == BY_HAND
    assert kept.offer is not None
    offer.get_by_role("button", name=words("edit.accept")).click()
    button(page, words("edit.update")).click()
    expect(section(page, "Grant").get_by_text(WRITTEN)).to_be_visible()
    until(lambda: not in_the_log(client, owned.id).cells["grant"].locked)


def test_a_text_that_was_saved_is_never_blank_whichever_comes_first_the_answer_or_the_fact(
    visitor: Visitor, owned: Owned
) -> None:
    owned.open(visitor)  # It leads, and tells the other one what there is to hear.
    visitor.context.add_init_script(HOLD)
    page = owned.open(visitor)
    part = section(page, "Summary")
    part.evaluate(READ)

    editing(page, "Summary").fill(BY_HAND)
    page.evaluate("() => (window.held = [])")
    button(page, words("edit.save")).click()
    expect(page.get_by_role("textbox")).to_have_count(0)  # Answered, and not heard of yet.
    expect(part.get_by_text("In short: granted.")).to_be_visible()
    page.evaluate("() => { window.held.forEach((take) => take()); window.held = null; }")
    expect(part.get_by_text(BY_HAND)).to_be_visible()

    answers: list[tuple[Route, APIResponse]] = []
    page.route("**/cells/sum", lambda route: answers.append((route, route.fetch())))
    editing(page, "Summary").fill("Use it.")
    button(page, words("edit.save")).click()
    expect(page.get_by_role("textbox")).to_have_count(0)  # Heard of, and not answered yet.
    expect(part.get_by_text("Use it.")).to_be_visible()
    until(lambda: bool(page.evaluate("true")) and answers != [])  # Each asking lets the route's handler go on.
    (route, answer), *_ = answers
    route.fulfill(response=answer)
    assert page.evaluate("() => window.blank") == 0


def test_who_was_second_loses_nothing(visitor: Visitor, client: httpx2.Client, owned: Owned) -> None:
    page = owned.open(visitor)
    visitor.forgive("412")
    box = editing(page, "Summary")
    box.fill("Mine.")
    owned.put("sum", "Hers.")
    button(page, words("edit.save")).click()
    expect(page.get_by_role("alertdialog")).to_contain_text("Ada")
    expect(box).to_have_value("Mine.")
    button(page, words("edit.mine")).click()
    expect(section(page, "Summary").get_by_text("Mine.")).to_be_visible()
    completed = in_the_log(client, owned.id).cells["sum"].completed
    assert completed is not None
    assert completed.text == "Mine."


def test_what_was_typed_outlives_a_reload(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    editing(page, "Summary").fill("Half a thought")
    for _ in "thought":
        page.keyboard.press("ArrowLeft")
    page.reload()
    box = page.get_by_role("textbox", name=words("edit.text", "Summary"))
    expect(box).to_have_value("Half a thought")
    expect(box).to_be_focused()
    page.keyboard.type("good ")  # The caret stands where it stood.
    expect(box).to_have_value("Half a good thought")


def test_the_palette_finds_a_section_and_does_what_it_is_told(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name=words("palette.title"))
    box.fill("summ")
    expect(page.get_by_role("option").first).to_contain_text("Summary")
    box.press("Enter")
    expect(section(page, "Summary")).to_be_focused()
    page.keyboard.press("Control+k")
    box.fill(words("panels.history"))
    box.press("Enter")
    expect(page.get_by_role("tab", name=words("panels.history"), selected=True)).to_be_visible()


def test_an_embedded_document_is_live_and_changes_nothing(
    visitor: Visitor, client: httpx2.Client, owned: Owned
) -> None:
    page = visitor.open(f"/embed/{owned.id}")
    expect(section(page, "Grant").get_by_text(WRITTEN)).to_be_visible()
    policy = client.get(f"/embed/{owned.id}").headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "frame-ancestors 'none'" in client.get(f"/d/{owned.id}").headers["content-security-policy"]
    section(page, "Grant").hover()
    section(page, "Grant").focus()
    page.keyboard.press("e")
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_role("toolbar")).to_have_count(0)
    owned.put("sum", "By somebody else.")
    expect(section(page, "Summary").get_by_text("By somebody else.")).to_be_visible()


def test_what_a_document_came_to_can_be_read(visitor: Visitor, owned: Owned) -> None:
    page = owned.open(visitor)
    page.get_by_role("button", name="2/2 · ").click()
    ledger = page.get_by_role("dialog")
    for name in ("ledger.spent", "ledger.cached", "ledger.stopped", "ledger.lost"):
        expect(ledger.get_by_text(words(name))).to_be_visible()


def test_models_are_tested_by_one_click(visitor: Visitor, model: DictatedModel) -> None:
    model.answers("try", "ready")
    page = visitor.open("/settings")
    button(page, words("settings.testOf", "dictated/words")).click()
    expect(page.get_by_text(re.compile("“ready”"))).to_be_visible()
